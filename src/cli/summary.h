// The table at the end of a run.
#pragma once

#include <string>

#include "session/report.h"

namespace penstock::cli {

/// Per node messages, handler times and peak memory against its limit; per edge sent, lost and the time blocked. Ends
/// with a newline.
auto RenderSummary(const session::Report& report) -> std::string;
/// Where the log is, and which lines it lacks.
auto RenderLog(const session::Report& report) -> std::string;

}  // namespace penstock::cli
