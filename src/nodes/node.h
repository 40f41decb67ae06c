// What a native node implements. Nodes live in plugins (shared libraries) that the native worker loads; the C entry point at the
// end is the only symbol a plugin exports.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/error.h"
#include "message/header.h"
#include "transport/input_port.h"
#include "transport/output_port.h"

namespace penstock::nodes {

class Host;

/// What a node may do while it handles something. Valid during the call it is given to.
class Context final {
 public:
  explicit Context(Host& host) : host_(host) {}

  /// Shared memory for the next message of `output` ("out"), to be written in place.
  auto Borrow(std::string_view output, std::uint64_t payload_bytes, std::uint32_t metadata_bytes = 0) -> base::Expected<transport::Loan>;
  auto Publish(std::string_view output, transport::Loan loan) -> base::Status;
  /// True once a source should end its stream.
  auto stop_requested() const noexcept -> bool;
  /// Sleeps until `time`; false when asked to stop first.
  auto SleepUntil(base::Deadline::Clock::time_point time) -> bool;

 private:
  Host& host_;
};

class Node {
 public:
  Node() = default;
  Node(const Node&) = delete;
  auto operator=(const Node&) -> Node& = delete;
  virtual ~Node() = default;

  /// Once, before the first message. `params` as in the manifest.
  virtual auto Setup(const nlohmann::json& params) -> base::Status = 0;
  /// Sources only (nodes without connected inputs): produce until exhausted or stopped.
  virtual auto Run(Context& context) -> base::Status;
  /// One message of the port `input`. It may be kept beyond the call, up to the edge's max_held.
  virtual auto Process(Context& context, std::string_view input, transport::Message message) -> base::Status;
  /// All inputs have ended; outputs may still be published.
  virtual auto Finish(Context& context) -> base::Status;
};

/// A plugin's table of nodes.
struct PluginNode {
  const char* name;  // "media.source"
  const char* summary;
  Node* (*create)();
};

struct Plugin {
  static constexpr std::uint32_t kAbiVersion = 1;
  std::uint32_t abi_version = kAbiVersion;
  const PluginNode* nodes = nullptr;
  std::size_t node_count = 0;
};

/// `extern "C" auto penstock_plugin() -> const penstock::nodes::Plugin*`.
using PluginEntry = auto (*)() -> const Plugin*;
inline constexpr const char* kPluginEntry = "penstock_plugin";

}  // namespace penstock::nodes
