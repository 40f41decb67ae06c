// What must hold between the parts of a manifest: names that are unique and exist, edges that make a pipeline.
#pragma once

#include "manifest/pipeline.h"
#include "manifest/report.h"

namespace penstock::manifest {

/// Expects what ReadPipeline has left, errors included; nodes without a valid id take no part.
void CheckPipeline(Report& report, const Pipeline& pipeline);

}  // namespace penstock::manifest
