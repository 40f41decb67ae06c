// What each verb does, given its options. Each returns the process's exit code.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/part.h"
#include "observe/log_writer.h"
#include "observe/quarantine.h"
#include "plan/plan.h"

namespace penstock::cli {

// SPEC's exit codes.
inline constexpr int kDone = 0;
inline constexpr int kPipelineFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kEnvironment = 3;
inline constexpr int kLost = 4;  // messages, under --strict-loss
inline constexpr int kInterrupted = 130;

struct PipelineOptions {
  std::string manifest;
  plan::PlacementOverride placement = plan::PlacementOverride::kAsDeclared;
  bool overcommit = false;              // promise memory although running sessions hold it
  std::vector<std::string> settings{};  // of nodes' parameters (settings.h)
  std::vector<std::string> outputs{};   // files for its ends (ends.h)
  PartOptions part{};                   // of it alone, and files for its ends (part.h)
  bool retry = false;                   // build also environments that failed before with nothing changed since
};

struct RunOptions {
  PipelineOptions pipeline;
  bool realtime = false;     // media sources are paced by media time
  bool quiet = false;        // no progress, no summary
  bool measure_cpu = false;  // the runtime's and SDK's own CPU time per message
  std::string report_file;   // JSON, empty: none
  bool strict_loss = false;  // lost messages are an error
  observe::LogLimits log;
  std::uint64_t quarantine_bytes = observe::kQuarantineBytes;
};

struct LogsOptions {
  std::string session;  // the beginning of its id; empty: the newest
  bool follow = false;
  bool json = false;
  std::vector<std::string> nodes;
  std::string since;  // a duration or a point in time
  std::string level = "debug";
  std::string grep;
};

struct ValidateOptions {
  std::vector<std::string> manifests;
  bool quiet = false;  // nothing of those that are valid, unless something is to be warned of
  bool json = false;
};

struct BuildOptions {
  PipelineOptions pipeline;
  bool quiet = false;  // no progress, no summary
  bool json = false;
};

struct PlanOptions {
  PipelineOptions pipeline;
  bool json = false;
};

struct GraphOptions {
  PipelineOptions pipeline;
  std::string format;  // "mermaid" or "svg"; empty: as the output's name says, else mermaid
  std::string output;  // a file; empty or "-": stdout
};

struct CheckImageOptions {
  std::string image;
  std::string python;       // "3.11"; empty: the one that the image has
  std::string interpreter;  // absolute path in the image; empty: the one that nodes use
  bool json = false;
};

struct DoctorOptions {
  bool quiet = false;  // only what is wrong
  bool json = false;
};

struct NodesOptions {
  std::string name;  // empty: all
  bool json = false;
};

struct StopOptions {
  std::string session;  // its id or the beginning of it
  bool all = false;
  bool now = false;  // without handling what is in flight
  std::chrono::seconds timeout{30};
  bool quiet = false;
  bool json = false;
};

struct GcOptions {
  bool warm = false;  // also ends the containers that wait for a next session
  bool quiet = false;
  bool json = false;
};

auto Run(const RunOptions& options) -> int;
auto Validate(const ValidateOptions& options) -> int;
auto Plan(const PlanOptions& options) -> int;
auto Graph(const GraphOptions& options) -> int;
auto Build(const BuildOptions& options) -> int;
auto Logs(const LogsOptions& options) -> int;
auto Lock(const BuildOptions& options) -> int;
auto CheckImage(const CheckImageOptions& options) -> int;
/// The JSON Schema of manifests.
auto Schema() -> int;
auto Version(bool json) -> int;
auto Doctor(const DoctorOptions& options) -> int;
auto Nodes(const NodesOptions& options) -> int;
auto Ps(bool json) -> int;
auto Stop(const StopOptions& options) -> int;
auto Gc(const GcOptions& options) -> int;

/// Prints the error; the exit code for it.
auto Complain(const base::Error& error) -> int;

}  // namespace penstock::cli
