// What a session did, for the summary at the end and for programs (`penstock run --report FILE`).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "observe/edge_stats.h"
#include "observe/log_writer.h"
#include "plan/plan.h"

namespace penstock::session {

/// Why a session failed: the first thing that went wrong; what followed from it is left out.
struct Failure {
  std::string node;          // empty: the session itself
  std::string sentence;      // what happened, where, and what to change
  std::string traceback;     // of the node's language, may be empty
  bool environment = false;  // engine, image or host rather than the pipeline
};

struct NodeReport {
  std::string id;
  plan::Placement placement = plan::Placement::kNative;
  std::string interpreter;  // "python 3.10.13", "native"
  std::string container;    // id, empty outside containers
  int landlock = 0;         // version by which it was kept apart from other workers of its container; 0: not
  std::uint32_t restarts = 0;
  std::uint32_t quarantined = 0;  // messages
  std::string left_out;           // why the session went on without it; empty: it did not
  std::uint64_t messages = 0;     // handled
  std::uint64_t sent = 0;
  std::uint64_t handler_p50_ns = 0;
  std::uint64_t handler_p99_ns = 0;
  std::uint64_t overhead_cpu_p50_ns = 0;
  std::optional<std::uint64_t> peak_memory_bytes;
  std::optional<std::uint64_t> memory_limit_bytes;
  std::optional<double> cpu_throttled_share;  // 0…1: of its CPU periods, those in which it was stopped at its limit
  std::vector<std::string> remarks;           // limits that it met, waits beyond its time; one sentence each
};

struct EdgeReport {
  std::string id;
  manifest::Policy policy = manifest::Policy::kBlock;
  std::string consumer;  // node
  bool joins = false;    // its consumer joins it with others
  observe::EdgeStats stats;

  /// Messages that were in no set; while the session runs, those that still wait for theirs among them.
  auto unmatched() const -> std::uint64_t { return stats.delivered - std::min(stats.joined, stats.delivered); }
};

/// Seconds since Session::Run was called.
struct Timeline {
  double environments = 0;  // every image and virtual environment is there
  double agents = 0;        // every container runs and granted its lease
  double hellos = 0;        // every worker said hello
  double started = 0;       // every worker was told to start
  double ended = 0;
  double engine_requests = 0;  // of the time up to `hellos`: at least one request to the engine was under way
};

struct Report {
  std::string session;
  std::string pipeline;
  std::optional<Failure> failure;
  bool interrupted = false;
  Timeline timeline;
  std::vector<NodeReport> nodes;
  std::vector<EdgeReport> edges;
  observe::LogAccount log;
  std::uint64_t not_shown = 0;  // lines that a terminal was too slow for; the log has them
};

auto ToJson(const Report& report) -> nlohmann::json;

}  // namespace penstock::session
