// Reading and writing the JSON of packets, strictly and without exceptions. Internal to worker.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/packet_socket.h"

namespace penstock::worker {

/// A packet being read: the first thing found wrong is remembered and everything after it reads as empty, so that
/// parsers are straight lines with one check at the end.
class PacketReader final {
 public:
  /// Any input gives a reader; `type()` is empty when the packet is not an object of our version.
  PacketReader(std::string_view text, std::size_t fd_count);

  auto type() const noexcept -> const std::string& { return type_; }
  auto root() const noexcept -> const nlohmann::json& { return root_; }
  void Complain(std::string problem);
  /// Takes the descriptor index `value`; -1 (and a complaint) unless in range and not used before.
  auto TakeDescriptor(std::int64_t value, const std::string& where) -> int;
  /// kPeerCorrupt with the first complaint.
  auto Finish() const -> base::Status;
  auto UnknownType() -> base::Error;

 private:
  nlohmann::json root_;
  std::string type_;
  std::optional<std::string> problem_;
  std::vector<bool> used_;
};

/// One JSON object inside a packet. All members are required unless the name says otherwise; unknown members are
/// ignored.
class ObjectReader final {
 public:
  explicit ObjectReader(PacketReader& packet) : packet_(packet), value_(packet.root()) {}
  ObjectReader(PacketReader& packet, const nlohmann::json& value, std::string path)
      : packet_(packet), value_(value), path_(std::move(path)) {}

  auto String(const char* name) -> std::string;
  auto OptionalString(const char* name) -> std::optional<std::string>;
  auto Boolean(const char* name) -> bool;
  auto OptionalBoolean(const char* name) -> std::optional<bool> {
    if (!Has(name)) return std::nullopt;
    return Boolean(name);
  }
  auto Strings(const char* name) -> std::vector<std::string>;
  auto StringMap(const char* name) -> std::map<std::string, std::string>;
  auto Descriptor(const char* name) -> int;
  /// The member as JSON text; it must be an object.
  auto ObjectText(const char* name) -> std::string;

  template <std::integral T>
  auto Integer(const char* name) -> T {
    const auto* member = Find(name);
    return member == nullptr ? T{} : Convert<T>(*member, name);
  }
  template <std::integral T>
  auto OptionalInteger(const char* name) -> std::optional<T> {
    if (!Has(name)) return std::nullopt;
    return Integer<T>(name);
  }
  template <std::integral T>
  auto Integers(const char* name) -> std::vector<T> {
    std::vector<T> values;
    for (const auto& element : Array(name)) values.push_back(Convert<T>(element, name));
    return values;
  }
  /// Calls `read` with an ObjectReader for each element.
  template <class Read>
  void ForEach(const char* name, Read&& read) {
    std::size_t index = 0;
    for (const auto& element : Array(name)) read(Element(element, name, index++));
  }
  auto OptionalObject(const char* name) -> std::optional<ObjectReader>;
  /// ForEach for a member that an older peer does not send.
  template <class Read>
  void ForEachIfPresent(const char* name, Read&& read) {
    if (Has(name)) ForEach(name, std::forward<Read>(read));
  }

 private:
  auto Has(const char* name) const -> bool;
  auto Find(const char* name) -> const nlohmann::json*;
  auto Array(const char* name) -> const nlohmann::json&;
  auto Element(const nlohmann::json& element, const char* name, std::size_t index) -> ObjectReader;
  void Mistyped(const char* name, const char* wanted);

  template <std::integral T>
  auto Convert(const nlohmann::json& member, const char* name) -> T {
    if (member.is_number_unsigned()) {
      const auto value = member.get<std::uint64_t>();
      if (std::in_range<T>(value)) return static_cast<T>(value);
    } else if (member.is_number_integer()) {
      const auto value = member.get<std::int64_t>();
      if (std::in_range<T>(value)) return static_cast<T>(value);
    }
    Mistyped(name, "a whole number in range");
    return T{};
  }

  PacketReader& packet_;
  const nlohmann::json& value_;
  std::string path_;
};

/// {"v": 1, "type": type}.
auto NewPacket(const char* type) -> nlohmann::json;
/// Text that is not UTF-8 (a traceback may hold anything) is sent with replacement characters.
auto SendJson(const base::PacketSocket& socket, const nlohmann::json& packet, const std::vector<int>& fds)
    -> base::Status;

/// Collects the descriptors of a packet being written and gives each its index.
class DescriptorList final {
 public:
  auto Add(int fd, const std::string& what) -> std::size_t;
  auto fds() const noexcept -> const std::vector<int>& { return fds_; }
  /// kInvalidArgument when something had no descriptor.
  auto Check() const -> base::Status;

 private:
  std::vector<int> fds_;
  std::optional<std::string> missing_;
};

}  // namespace penstock::worker
