// What a native node implements. Nodes live in plugins (shared libraries) that the native worker loads; the C entry
// point at the end is the only symbol a plugin exports.
//
// Everything that a node calls here is virtual or inline: a plugin needs no symbol of the worker. It links
// penstock_base and penstock_message (statically, hidden) for errors and headers, and never the transport.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/error.h"
#include "message/header.h"

namespace penstock::nodes {

/// A writable chunk of shared memory that becomes a message when published, or returns to the pool when destroyed.
class Draft {
 public:
  Draft() = default;
  Draft(const Draft&) = delete;
  auto operator=(const Draft&) -> Draft& = delete;
  virtual ~Draft() = default;

  /// Kind, shape and media time are the node's to fill (set kFlagHasMediaTime with the latter); payload_bytes and
  /// metadata_bytes are as asked for in Borrow; everything else is completed by Publish.
  virtual auto header() noexcept -> message::Header& = 0;
  /// 64-byte aligned: the payload, and the metadata (when asked for) from message::MetadataOffset(payload_bytes).
  virtual auto bytes() noexcept -> std::span<std::byte> = 0;
};

/// A received message: a view into the producer's shared memory, whose slot returns to it on destruction.
class Received {
 public:
  Received() = default;
  Received(const Received&) = delete;
  auto operator=(const Received&) -> Received& = delete;
  virtual ~Received() = default;

  /// A private, validated copy.
  virtual auto header() const noexcept -> const message::Header& = 0;
  virtual auto payload() const noexcept -> std::span<const std::byte> = 0;
  virtual auto metadata() const noexcept -> std::string_view = 0;  // JSON, may be empty
  /// Delivered before to an earlier incarnation of this node.
  virtual auto redelivered() const noexcept -> bool = 0;
};

/// What a node may do while it handles something. Valid during the call it is given to, on that call's thread.
class Context {
 public:
  Context() = default;
  Context(const Context&) = delete;
  auto operator=(const Context&) -> Context& = delete;
  virtual ~Context() = default;

  /// Shared memory for the next message of `output` ("out"), to be written in place. An output without consumers gives
  /// a Draft too, and what is published there goes nowhere.
  /// Errors: kNotFound for a port the node did not declare; kInvalidArgument beyond the port's max_message_bytes.
  virtual auto Borrow(std::string_view output, std::uint64_t payload_bytes, std::uint32_t metadata_bytes)
      -> base::Expected<std::unique_ptr<Draft>> = 0;
  auto Borrow(std::string_view output, std::uint64_t payload_bytes) { return Borrow(output, payload_bytes, 0); }
  /// Completes the header and publishes, waiting for credit. Errors: kCancelled when the session is over.
  virtual auto Publish(std::string_view output, std::unique_ptr<Draft> draft) -> base::Status = 0;
  /// Whether what would be published next at `output` had been sent by a worker before this one, and so will not be
  /// sent again: a source that is replayed need not wait for its time.
  virtual auto was_published(std::string_view output) const -> bool = 0;
  /// Whether anything is connected to `output`: what need not be made otherwise.
  virtual auto is_connected(std::string_view output) const -> bool = 0;
  /// True once a source should end its stream.
  virtual auto stop_requested() const noexcept -> bool = 0;
  /// Sleeps until `time`; false when asked to stop first.
  virtual auto SleepUntil(base::Deadline::Clock::time_point time) -> bool = 0;
  /// Sources: waits until `descriptor` can be read; false when asked to stop first.
  virtual auto AwaitReadable(int descriptor) -> base::Expected<bool> = 0;
};

/// How a source goes on in a worker that replaces one that failed.
enum class Replay {
  kUndeclared,  // it cannot: a manifest that wants it restarted is refused at its setup
  kSame,        // from its beginning, with the same messages again; those that were sent already are left out
  kNew,         // what it gives is new each time; nothing is left out
};

class Node {
 public:
  Node() = default;
  Node(const Node&) = delete;
  auto operator=(const Node&) -> Node& = delete;
  virtual ~Node() = default;

  /// Once, before the first message. `params` as in the manifest; unknown ones are refused (nodes/params.h).
  virtual auto Setup(const nlohmann::json& params) -> base::Status = 0;
  /// Instead of Setup in a worker that replaces one that failed: what that has made (a file) goes on.
  virtual auto Resume(const nlohmann::json& params) -> base::Status { return Setup(params); }
  /// Sources; asked after Setup.
  virtual auto replay() const -> Replay { return Replay::kUndeclared; }
  /// Whether the node has a state that is to be kept for its successor; asked after Setup or Resume.
  virtual auto keeps_state() const -> bool { return false; }
  /// That state (at most 1 MiB), after Setup, each message that was processed, and each Tick. Kept together with the
  /// fact that the message was: one that is included is not processed again.
  virtual auto Checkpoint() -> std::string { return {}; }
  /// After Resume: the state that the predecessor had last.
  virtual auto Restore(std::string_view /*state*/) -> base::Status { return {}; }
  /// Sources only (nodes without connected inputs): produce until exhausted or stopped.
  virtual auto Run(Context& /*context*/) -> base::Status {
    return base::Fail(base::ErrorCode::kUnsupported, "this node is not a source: connect something to its input");
  }
  /// One message of the port `input`. It may be kept beyond the call, up to the edge's max_held.
  virtual auto Process(Context& /*context*/, std::string_view input, std::unique_ptr<Received> /*message*/)
      -> base::Status {
    return base::Fail(base::ErrorCode::kUnsupported, "this node has no input '{}': it is a source", input);
  }
  /// When Tick is due, of a node that has something to do between messages; asked before each wait for the next one.
  virtual auto next_tick() const -> std::optional<base::Deadline::Clock::time_point> { return std::nullopt; }
  /// The time of next_tick has come. At most one between two messages, and none once all inputs have ended. What it
  /// publishes has no media time unless it is given one, a trace of its own, and is not sent again by a successor.
  virtual auto Tick(Context& /*context*/) -> base::Status { return {}; }
  /// Asked when Process has failed: whether that is the fault of what the node writes to, a disk, and none of the
  /// message's. Then no restart is tried, and no message is put into quarantine.
  virtual auto output_is_broken() const -> bool { return false; }
  /// All inputs have ended; outputs may still be published.
  virtual auto Finish(Context& /*context*/) -> base::Status { return {}; }
  /// Last, also after a failure: closes what is open. What it holds of messages is released before.
  virtual auto Teardown() -> base::Status { return {}; }
};

/// One port of a node, for `ready` and for checking the wiring: the type as the SDK writes it ("Audio", "Json|Text",
/// "Any").
struct PluginPort {
  const char* name;
  const char* type;
};

/// One parameter, for people and for what checks a manifest before the node runs.
struct PluginParam {
  const char* name;                 // "url"; "audio.rate" for one inside of a mapping
  const char* type;                 // "text", "number", "whole number", "true or false", "duration", "list of texts"
  const char* what;                 // what it means, with unit and range
  const char* otherwise = nullptr;  // what holds where it is not given; null: it must be
};

/// One entry of a plugin's table.
struct PluginNode {
  const char* name;  // "media.source"
  const char* summary;
  Node* (*create)();  // the worker owns what it returns
  const PluginPort* inputs;
  std::size_t input_count;
  const PluginPort* outputs;
  std::size_t output_count;
  const PluginParam* params = nullptr;  // all that it takes
  std::size_t param_count = 0;
};

struct Plugin {
  static constexpr std::uint32_t kAbiVersion = 4;
  std::uint32_t abi_version = kAbiVersion;
  const PluginNode* nodes = nullptr;
  std::size_t node_count = 0;
};

/// `extern "C" __attribute__((visibility("default"))) auto penstock_plugin() -> const penstock::nodes::Plugin*`.
using PluginEntry = auto (*)() -> const Plugin*;
inline constexpr const char* kPluginEntry = "penstock_plugin";

}  // namespace penstock::nodes
