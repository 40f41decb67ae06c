// The tables that say which fields a manifest has, and reading a value tree by them.
#pragma once

#include "manifest/pipeline.h"
#include "manifest/report.h"
#include "manifest/value.h"

namespace penstock::manifest {

/// Everything that can be checked field by field. What has errors is reported and left out or at its default, so that
/// CheckPipeline can still find what is wrong between the rest.
void ReadPipeline(Report& report, const Value& root, Pipeline& pipeline);

}  // namespace penstock::manifest
