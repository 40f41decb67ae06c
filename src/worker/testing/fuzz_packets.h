// For fuzz targets of packets: what is read of a packet, sent on by the real writer over a real socket and read again,
// is the same; and nothing is in it that the packet did not say.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/packet_socket.h"
#include "base/testing/fuzz.h"
#include "worker/protocol.h"

namespace penstock::worker::testing {
using base::testing::Require;

/// A packet as it would arrive: the text, and so many descriptors.
struct FuzzPacket {
  char reader = 0;  // a letter: whom it is for
  std::string_view text;
  std::size_t descriptors = 0;

  /// An input is the letter, a digit, which is the number of descriptors, and the text.
  static auto Of(const std::uint8_t* data, std::size_t size) -> FuzzPacket {
    base::testing::FuzzInput input(data, size);
    const auto reader = input.Take<char>();
    const auto digit = input.Take<char>();
    return {.reader = reader,
            .text = input.text(),
            .descriptors = digit >= '0' && digit <= '9' ? static_cast<std::size_t>(digit - '0') : 0};
  }

  auto Arrive() const -> base::Packet {
    static const base::UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    base::Packet packet{.data = std::string(text), .fds = {}};
    for (std::size_t i = 0; i < descriptors; ++i) packet.fds.emplace_back(::fcntl(nothing.get(), F_DUPFD_CLOEXEC, 3));
    return packet;
  }
};

// Members that hold indices of descriptors, which are numbered anew when a packet is written.
inline auto IsDescriptor(std::string_view key, const nlohmann::json& value) -> bool {
  return value.is_number_integer() && (key == "fd" || key == "control" || key == "bell" || key == "state");
}
// Members whose own members are the user's: nothing in them is ours.
inline auto IsUsers(std::string_view key) -> bool { return key == "params" || key == "env"; }

/// Every member of `written` stands in `read` with the same value, or is left out there and `written` has its default.
inline void RequireSaid(const nlohmann::json& written, const nlohmann::json& read, const std::string& path) {
  if (written.is_object() && read.is_object()) {
    for (const auto& [key, value] : written.items()) {
      const auto found = read.find(key);
      if (IsDescriptor(key, value)) continue;
      if (found == read.end() || found->is_null()) {
        const bool is_default =
            value == 0 || value == false || (key == "signal" && value == 9) || (value.is_array() && value.empty());
        Require(is_default, "{}.{} came from nowhere: {}", path, key, value.dump());
      } else if (IsUsers(key)) {
        Require(value == *found, "{}.{} is not what was sent", path, key);
      } else {
        RequireSaid(value, *found, path + "." + key);
      }
    }
  } else if (written.is_array() && read.is_array()) {
    Require(written.size() == read.size(), "{} has {} of {} elements", path, written.size(), read.size());
    for (std::size_t i = 0; i < written.size(); ++i) RequireSaid(written[i], read[i], path + "[]");
  } else {
    Require(written == read, "{} is {} and not {}", path, written.dump(), read.dump());
  }
}

inline void RequireExplained(const base::Error& error) {
  Require(error.code() == base::ErrorCode::kPeerCorrupt, "a packet is refused with {}", base::ToString(error.code()));
  Require(error.message().find("packet is malformed: ") != std::string::npos, "'{}' does not say what is wrong",
          error.message());
}

/// Both ends of one connection, for as long as the process lives.
inline auto Ends() -> std::pair<base::PacketSocket, base::PacketSocket>& {
  static auto ends = *base::PacketSocket::Pair();
  return ends;
}

/// `parse` makes a Received of a packet; `send` sends its message from the first end of Ends(), with real descriptors.
template <class Parse, class Send>
void CheckPacket(const FuzzPacket& packet, Parse parse, Send send) {
  auto received = parse(packet.Arrive());
  if (!received) return RequireExplained(received.error());
  std::string before;
  for (int pass = 0; pass < 2; ++pass) {
    const base::Status sent = send(*received);
    Require(sent.has_value(), "what was read cannot be sent: {}", sent ? "" : sent.error().ToString());
    auto arrived = Ends().second.Receive(base::Deadline::Never());
    Require(arrived.has_value(), "what was sent did not arrive");
    if (pass == 0) {
      before = arrived->data;
      RequireSaid(nlohmann::json::parse(before), nlohmann::json::parse(packet.text), "packet");
    } else {
      Require(arrived->data == before, "sent again it reads\n{}\nand not\n{}", arrived->data, before);
    }
    received = parse(std::move(*arrived));
    Require(received.has_value(), "what was sent cannot be read: {}", received ? "" : received.error().ToString());
  }
}

}  // namespace penstock::worker::testing
