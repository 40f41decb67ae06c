// What a test gives to a node in place of a worker.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "nodes/node.h"

namespace penstock::nodes::testing {

class MemoryDraft final : public Draft {
 public:
  MemoryDraft(std::uint64_t payload_bytes, std::uint32_t metadata_bytes)
      : bytes_(message::ChunkBytes(payload_bytes, metadata_bytes)) {
    header_.size = sizeof(message::Header);
    header_.payload_bytes = payload_bytes;
    header_.metadata_bytes = metadata_bytes;
  }
  auto header() noexcept -> message::Header& override { return header_; }
  auto bytes() noexcept -> std::span<std::byte> override { return bytes_; }

 private:
  message::Header header_;
  std::vector<std::byte> bytes_;
};

class MemoryReceived final : public Received {
 public:
  MemoryReceived(message::Header header, std::string_view payload, std::string metadata = {})
      : header_(header), metadata_(std::move(metadata)) {
    std::ranges::copy(std::as_bytes(std::span(payload)), std::back_inserter(payload_));
    header_.size = sizeof(message::Header);
    header_.payload_bytes = payload_.size();
    header_.metadata_bytes = static_cast<std::uint32_t>(metadata_.size());
  }
  auto header() const noexcept -> const message::Header& override { return header_; }
  auto payload() const noexcept -> std::span<const std::byte> override { return payload_; }
  auto metadata() const noexcept -> std::string_view override { return metadata_; }
  auto redelivered() const noexcept -> bool override { return false; }

 private:
  message::Header header_;
  std::vector<std::byte> payload_;
  std::string metadata_;
};

inline auto TextMessage(std::string_view text, message::Kind kind = message::Kind::kText) {
  message::Header header;
  header.kind = kind;
  return std::make_unique<MemoryReceived>(header, text);
}

/// Keeps what is published. Its clock stands still: it notes the times that the node wants to wait for.
class RecordingContext final : public Context {
 public:
  auto Borrow(std::string_view output, std::uint64_t payload_bytes, std::uint32_t metadata_bytes)
      -> base::Expected<std::unique_ptr<Draft>> override {
    if (!is_connected(output)) return base::Fail(base::ErrorCode::kNotFound, "there is no output '{}'", output);
    return std::make_unique<MemoryDraft>(payload_bytes, metadata_bytes);
  }
  auto Publish(std::string_view output, std::unique_ptr<Draft> draft) -> base::Status override {
    outputs.emplace_back(output);
    published.push_back(std::move(draft));
    return {};
  }
  auto was_published(std::string_view /*output*/) const -> bool override { return published.size() < published_before; }
  auto is_connected(std::string_view output) const -> bool override { return connected.contains(output); }
  auto stop_requested() const noexcept -> bool override { return published.size() >= stop_after; }
  auto SleepUntil(base::Deadline::Clock::time_point time) -> bool override {
    waits.push_back(time);
    return waits.size() <= refuse_wait_after;
  }
  /// What is not there yet will not come: the node is asked to stop then.
  auto AwaitReadable(int descriptor) -> base::Expected<bool> override {
    pollfd awaited{.fd = descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&awaited, 1, 0) == 1;
  }

  auto payload(std::size_t index) -> std::string {
    const auto bytes = published.at(index)->bytes().first(published.at(index)->header().payload_bytes);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  auto payloads() -> std::vector<std::string> {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < published.size(); ++i) all.push_back(payload(i));
    return all;
  }
  auto metadata(std::size_t index) -> std::string {
    const auto& header = published.at(index)->header();
    const auto bytes =
        published.at(index)->bytes().subspan(message::MetadataOffset(header.payload_bytes), header.metadata_bytes);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::set<std::string, std::less<>> connected{"out"};
  std::vector<std::unique_ptr<Draft>> published;
  std::vector<std::string> outputs;  // of each
  std::vector<base::Deadline::Clock::time_point> waits;
  std::size_t published_before = 0;  // by an earlier worker
  std::size_t stop_after = 1000;
  std::size_t refuse_wait_after = 1000;
};

}  // namespace penstock::nodes::testing
