#include "worker/packet_json.h"

#include "worker/protocol.h"

namespace penstock::worker {
namespace {
using nlohmann::json;

constexpr int kMaxDepth = 64;  // nlohmann writes recursively: a deeper value could overflow the stack

auto TooDeep(std::string_view text) -> bool {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

auto EmptyArray() -> const json& {
  static const json empty = json::array();
  return empty;
}

auto EmptyObject() -> const json& {
  static const json empty = json::object();
  return empty;
}

}  // namespace

PacketReader::PacketReader(std::string_view text, std::size_t fd_count) : used_(fd_count, false) {
  if (TooDeep(text)) {
    Complain(fmt::format("it is nested deeper than {} levels", kMaxDepth));
    return;
  }
  root_ = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (root_.is_discarded() || !root_.is_object()) {
    Complain("it is not a JSON object");
    root_ = json::object();
    return;
  }
  ObjectReader object(*this);
  const auto version = object.Integer<int>("v");
  if (!problem_ && version != kProtocolVersion) {
    Complain(fmt::format("its version is {}, this side speaks {}", version, kProtocolVersion));
  }
  auto type = object.String("type");
  if (!problem_) type_ = std::move(type);
}

void PacketReader::Complain(std::string problem) {
  if (!problem_) problem_ = std::move(problem);
}

auto PacketReader::TakeDescriptor(std::int64_t value, const std::string& where) -> int {
  if (value < 0 || std::cmp_greater_equal(value, used_.size())) {
    Complain(fmt::format("'{}' names descriptor {} of {}", where, value, used_.size()));
    return -1;
  }
  const auto index = static_cast<std::size_t>(value);
  if (used_[index]) {
    Complain(fmt::format("'{}' names descriptor {}, which is used already", where, value));
    return -1;
  }
  used_[index] = true;
  return static_cast<int>(value);
}

auto PacketReader::Finish() const -> base::Status {
  if (!problem_) return {};
  return base::Fail(base::ErrorCode::kPeerCorrupt, "a {} packet is malformed: {}",
                    type_.empty() ? "protocol" : "'" + type_ + "'", *problem_);
}

auto PacketReader::UnknownType() -> base::Error {
  Complain("its type is unknown here");
  return Finish().error();
}

auto ObjectReader::Has(const char* name) const -> bool {
  if (!value_.is_object()) return false;
  const auto found = value_.find(name);
  return found != value_.end() && !found->is_null();
}

auto ObjectReader::Find(const char* name) -> const json* {
  if (Has(name)) return &*value_.find(name);
  packet_.Complain(fmt::format("'{}{}' is missing", path_, name));
  return nullptr;
}

void ObjectReader::Mistyped(const char* name, const char* wanted) {
  packet_.Complain(fmt::format("'{}{}' is not {}", path_, name, wanted));
}

auto ObjectReader::Array(const char* name) -> const json& {
  const auto* member = Find(name);
  if (member == nullptr) return EmptyArray();
  if (member->is_array()) return *member;
  Mistyped(name, "an array");
  return EmptyArray();
}

auto ObjectReader::Element(const json& element, const char* name, std::size_t index) -> ObjectReader {
  auto path = fmt::format("{}{}[{}].", path_, name, index);
  if (element.is_object()) return {packet_, element, std::move(path)};
  Mistyped(name, "an array of objects");
  return {packet_, EmptyObject(), std::move(path)};
}

auto ObjectReader::OptionalObject(const char* name) -> std::optional<ObjectReader> {
  if (!Has(name)) return std::nullopt;
  const auto* member = Find(name);
  if (member->is_object()) return ObjectReader(packet_, *member, fmt::format("{}{}.", path_, name));
  Mistyped(name, "an object");
  return ObjectReader(packet_, EmptyObject(), fmt::format("{}{}.", path_, name));
}

auto ObjectReader::String(const char* name) -> std::string {
  const auto* member = Find(name);
  if (member == nullptr) return {};
  if (member->is_string()) return member->get<std::string>();
  Mistyped(name, "a string");
  return {};
}

auto ObjectReader::OptionalString(const char* name) -> std::optional<std::string> {
  if (!Has(name)) return std::nullopt;
  return String(name);
}

auto ObjectReader::Boolean(const char* name) -> bool {
  const auto* member = Find(name);
  if (member == nullptr) return false;
  if (member->is_boolean()) return member->get<bool>();
  Mistyped(name, "true or false");
  return false;
}

auto ObjectReader::Strings(const char* name) -> std::vector<std::string> {
  std::vector<std::string> values;
  for (const auto& element : Array(name)) {
    if (element.is_string()) {
      values.push_back(element.get<std::string>());
    } else {
      Mistyped(name, "an array of strings");
    }
  }
  return values;
}

auto ObjectReader::StringMap(const char* name) -> std::map<std::string, std::string> {
  std::map<std::string, std::string> values;
  const auto* member = Find(name);
  if (member == nullptr) return values;
  if (!member->is_object()) {
    Mistyped(name, "an object of strings");
    return values;
  }
  for (const auto& [key, value] : member->items()) {
    if (value.is_string()) {
      values[key] = value.get<std::string>();
    } else {
      Mistyped(name, "an object of strings");
    }
  }
  return values;
}

auto ObjectReader::Descriptor(const char* name) -> int {
  const auto* member = Find(name);
  if (member == nullptr) return -1;
  return packet_.TakeDescriptor(Convert<std::int64_t>(*member, name), path_ + name);
}

auto ObjectReader::ObjectText(const char* name) -> std::string {
  const auto* member = Find(name);
  if (member != nullptr && member->is_object()) return member->dump(-1, ' ', false, json::error_handler_t::replace);
  if (member != nullptr) Mistyped(name, "an object");
  return "{}";
}

auto NewPacket(const char* type) -> json { return json{{"v", kProtocolVersion}, {"type", type}}; }

auto SendJson(const base::PacketSocket& socket, const json& packet, const std::vector<int>& fds) -> base::Status {
  return socket.Send(packet.dump(-1, ' ', false, json::error_handler_t::replace), fds);
}

auto DescriptorList::Add(int fd, const std::string& what) -> std::size_t {
  if (fd < 0 && !missing_) missing_ = what;
  fds_.push_back(fd);
  return fds_.size() - 1;
}

auto DescriptorList::Check() const -> base::Status {
  if (!missing_) return {};
  return base::Fail(base::ErrorCode::kInvalidArgument, "{} has no descriptor to send", *missing_);
}

}  // namespace penstock::worker
