#include "docker/json_object.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "docker/errors.h"
#include "docker/readable.h"

namespace penstock::docker {
namespace {
// Far more than any answer has. Each level costs a hundred bytes and much of a microsecond, and there may be as many as
// bytes in the answer.
constexpr int kMaxNesting = 500;

auto IsNestedTooDeeply(std::string_view text) -> bool {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      if (++depth > kMaxNesting) return true;
    } else if (!in_string && (c == ']' || c == '}')) {
      --depth;
    }
  }
  return false;
}

auto EmptyObject() -> const nlohmann::json& {
  static const nlohmann::json empty = nlohmann::json::object();
  return empty;
}
}  // namespace

auto ParseJson(std::string_view attempt, std::string_view text) -> base::Expected<nlohmann::json> {
  constexpr std::size_t kShown = 80;
  if (IsNestedTooDeeply(text)) {
    return tl::unexpected(
        MalformedError(attempt, fmt::format("the answer is nested more than {} levels deep", kMaxNesting)));
  }
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    return tl::unexpected(
        MalformedError(attempt, text.empty() ? "the answer is empty"
                                             : fmt::format("the answer is not JSON ('{}')", Readable(text, kShown))));
  }
  return json;
}

JsonObject::JsonObject(const nlohmann::json& value, std::string& problem, std::string path)
    : value_(&value), problem_(&problem), path_(std::move(path)) {
  if (value.is_object()) return;
  if (problem.empty()) problem = fmt::format("'{}' in the answer is not an object", path_.empty() ? "/" : path_);
  value_ = &EmptyObject();
}

auto JsonObject::Find(std::string_view key) const -> const nlohmann::json* {
  const auto found = value_->find(key);
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

void JsonObject::Note(std::string_view key, std::string_view expected) const {
  if (problem_->empty()) *problem_ = fmt::format("'{}/{}' in the answer is not {}", path_, key, expected);
}

auto JsonObject::Text(std::string_view key) const -> std::string {
  const auto* value = Find(key);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  Note(key, "a string");
  return {};
}

auto JsonObject::RequiredText(std::string_view key) const -> std::string {
  auto text = Text(key);
  if (text.empty()) Note(key, "there");
  return text;
}

auto JsonObject::Number(std::string_view key) const -> std::int64_t {
  const auto* value = Find(key);
  if (value == nullptr) return 0;
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() ||
                     value->get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
  if (fits) return value->get<std::int64_t>();
  Note(key, "a whole number");
  return 0;
}

auto JsonObject::RequiredNumber(std::string_view key) const -> std::int64_t {
  if (Find(key) == nullptr) Note(key, "there");
  return Number(key);
}

auto JsonObject::Int(std::string_view key) const -> int {
  const auto number = Number(key);
  if (std::in_range<int>(number)) return static_cast<int>(number);
  Note(key, "a number of 32 bits");
  return 0;
}

auto JsonObject::Flag(std::string_view key) const -> bool {
  const auto* value = Find(key);
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  Note(key, "true or false");
  return false;
}

auto JsonObject::Texts(std::string_view key) const -> Strings {
  const auto* value = Find(key);
  Strings texts;
  if (value == nullptr) return texts;
  if (!value->is_array()) Note(key, "a list");
  for (const auto& item : *value) {
    if (item.is_string()) {
      texts.push_back(item.get<std::string>());
    } else {
      Note(key, "a list of strings");
    }
  }
  return texts;
}

auto JsonObject::Map(std::string_view key) const -> StringMap {
  const auto* value = Find(key);
  StringMap map;
  if (value == nullptr) return map;
  if (!value->is_object()) {
    Note(key, "an object");
    return map;
  }
  for (const auto& [name, item] : value->items()) {
    if (item.is_string()) {
      map.emplace(name, item.get<std::string>());
    } else {
      Note(key, "an object of strings");
    }
  }
  return map;
}

auto JsonObject::Child(std::string_view key) const -> JsonObject {
  const auto* value = Find(key);
  return {value == nullptr ? EmptyObject() : *value, *problem_, fmt::format("{}/{}", path_, key)};
}

}  // namespace penstock::docker
