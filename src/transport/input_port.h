// Receiving end of one edge. Take and Acknowledge belong to the node's thread; a Message may be released on any thread.
//
// Messages are views into the producer's realm: valid until released, never copied. After a restart the port replays
// what was delivered but not acknowledged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "message/header.h"
#include "transport/control_block.h"
#include "transport/doorbell.h"

namespace penstock::transport {

/// A received message. Its slot returns to the producer when it is destroyed, which may be long after Acknowledge.
class Message final {
 public:
  Message(Message&& other) noexcept;
  auto operator=(Message&& other) noexcept -> Message&;
  Message(const Message&) = delete;
  auto operator=(const Message&) -> Message& = delete;
  ~Message();

  /// A private, validated copy.
  auto header() const noexcept -> const message::Header&;
  auto payload() const noexcept -> std::span<const std::byte>;
  auto metadata() const noexcept -> std::string_view;  // JSON, may be empty
  /// Delivered before to an earlier incarnation of this consumer.
  auto redelivered() const noexcept -> bool;

 private:
  friend class InputPort;
  struct State;
  explicit Message(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct InputPortOptions {
  std::string id;       // "vad.out->asr.in"
  std::string service;  // of the producer's output
  int realm_number;
  std::uint32_t history;   // as the producer's
  std::uint32_t buffer;    // as the producer's
  std::uint32_t max_held;  // as the producer's
  std::uint64_t max_message_bytes;
  ControlBlock control;
  Doorbell producer;  // rung when credit returns
};

/// When a message that is taken is handled: at once, or when BeginHandling says so (or never).
enum class Handling { kNow, kLater };

class InputPort final {
 public:
  static auto Open(InputPortOptions options) -> base::Expected<std::unique_ptr<InputPort>>;
  InputPort(const InputPort&) = delete;
  auto operator=(const InputPort&) -> InputPort& = delete;
  ~InputPort();

  /// The next message, or nullopt when there is none now. Never waits. Counts gaps as lost on edges that may drop, and
  /// on any edge what was lost with an earlier incarnation of the producer.
  /// Errors: kPeerCorrupt when header or account fail their checks; kExhausted when the node holds more than max_held
  /// messages (the sentence names the edge and the limit).
  auto TryTake(Handling handling = Handling::kNow) -> base::Expected<std::optional<Message>>;
  /// A cheap look at the account: TryTake would probably find something. False negatives only until the next ring.
  auto ready() const noexcept -> bool;
  /// The producer closed the stream and everything was taken.
  auto ended() const noexcept -> bool;
  /// An earlier incarnation of this consumer has taken messages without acknowledging them, and not all of them came
  /// again yet.
  auto owed() const noexcept -> bool;

  /// The message with this sequence (and all before) is handled: it will not be replayed, and the producer gets credit.
  void Acknowledge(std::uint64_t sequence) noexcept;

  /// What the node's outputs have waited for room so far, when it begins with a message.
  void NoteBlocked(std::uint64_t nanoseconds) noexcept;
  /// The handler of a message that was taken for later begins now. Until then the account says that nothing is handled.
  void BeginHandling(std::uint64_t sequence) noexcept;
  /// Whether the node waits for input while it keeps messages. A producer that is to be replaced does not wait for
  /// their acknowledgement then: the next messages may have to come from its successor.
  void SayAwaits(Awaits awaits) noexcept;
  /// Whether messages wait that would be lost if their producer died and were replaced before they are taken.
  auto out_of_reach() const noexcept -> bool;
  /// Has them in this process's memory, without taking them. Errors as TryTake.
  auto Reach() -> base::Status;
  /// The message is part of a set that is handled; it may be of several.
  void CountJoined(std::uint64_t sequence) noexcept;

  auto id() const noexcept -> const std::string&;
  auto control() const noexcept -> ControlBlock&;

 private:
  struct State;
  explicit InputPort(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace penstock::transport
