// What each verb does, given its options. Each returns the process's exit code.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace penstock::cli {

// SPEC's exit codes.
inline constexpr int kDone = 0;
inline constexpr int kPipelineFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kEnvironment = 3;
inline constexpr int kInterrupted = 130;

struct PipelineOptions {
  std::string manifest;
  plan::PlacementOverride placement = plan::PlacementOverride::kAsDeclared;
  bool retry = false;  // build also environments that failed before with nothing changed since
};

struct RunOptions {
  PipelineOptions pipeline;
  bool realtime = false;     // media sources are paced by media time
  bool quiet = false;        // no progress, no summary
  bool measure_cpu = false;  // the runtime's and SDK's own CPU time per message
  std::string report_file;   // JSON, empty: none
};

struct PlanOptions {
  PipelineOptions pipeline;
  bool json = false;
};

auto Run(const RunOptions& options) -> int;
auto Validate(const std::vector<std::string>& manifests) -> int;
auto Plan(const PlanOptions& options) -> int;
auto Build(const PipelineOptions& options) -> int;
auto Lock(const PipelineOptions& options) -> int;
auto Version(bool json) -> int;

}  // namespace penstock::cli
