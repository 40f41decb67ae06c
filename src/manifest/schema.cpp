#include "manifest/schema.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace penstock::manifest {
namespace {

using nlohmann::json;

auto Share(json schema) -> Schema { return std::make_shared<const json>(std::move(schema)); }

auto Bound(double number) -> json {
  if (std::floor(number) == number && std::abs(number) < 1e18) return static_cast<std::int64_t>(number);
  return number;
}

void Collect(const json& schema, std::map<std::string, std::vector<std::string>, std::less<>>& places) {
  if (schema.is_array()) {
    for (const auto& inner : schema) Collect(inner, places);
  }
  if (!schema.is_object()) return;
  const auto properties = schema.find("properties");
  if (properties != schema.end()) {
    const auto title = schema.value("title", "");
    for (const auto& [key, property] : properties->items()) {
      const bool suggested = !property.contains("deprecated") && !property.contains("not");
      auto& titles = places[key];
      if (suggested && std::ranges::find(titles, title) == titles.end()) titles.push_back(title);
    }
  }
  for (const auto& inner : schema) Collect(inner, places);
}

}  // namespace

auto AnySchema() -> Schema { return Share(json::object()); }

auto TextSchema(std::string_view pattern) -> Schema {
  json schema{{"type", "string"}, {"minLength", 1}};
  if (!pattern.empty()) schema["pattern"] = pattern;
  return Share(std::move(schema));
}

auto TextOrNumberSchema(std::string_view pattern) -> Schema {
  return WithKeywords(TextSchema(pattern), {{"type", {"string", "number"}}});
}

auto BooleanSchema() -> Schema { return Share({{"type", "boolean"}}); }

auto NumberSchema(std::string_view type, double least, double most) -> Schema {
  return Share({{"type", type}, {"minimum", Bound(least)}, {"maximum", Bound(most)}});
}

auto WordsSchema(const std::vector<std::string_view>& words) -> Schema { return Share({{"enum", words}}); }

auto ListSchema(const Schema& items) -> Schema { return Share({{"type", "array"}, {"items", *items}}); }

auto ObjectSchema(std::string_view title, std::span<const FieldRule> fields) -> Schema {
  json schema{{"title", title}, {"type", "object"}, {"properties", json::object()}, {"additionalProperties", false}};
  auto required = json::array();
  for (const auto& field : fields) {
    auto property = *field.schema;
    if (field.alias) property["deprecated"] = true;
    if (field.refused) property = {{"not", json::object()}, {"$comment", property.dump()}};
    schema["properties"][std::string(field.name)] = std::move(property);
    if (field.required) required.push_back(field.name);
  }
  if (!required.empty()) schema["required"] = std::move(required);
  return Share(std::move(schema));
}

auto EitherSchema(const std::vector<Schema>& choices) -> Schema {
  auto list = json::array();
  for (const auto& choice : choices) list.push_back(*choice);
  return Share({{"anyOf", std::move(list)}});
}

auto WithKeywords(const Schema& schema, const json& keywords) -> Schema {
  auto extended = *schema;
  extended.update(keywords);
  return Share(std::move(extended));
}

auto PlacesOf(std::string_view key) -> std::vector<std::string> {
  static const auto kPlaces = [] {
    std::map<std::string, std::vector<std::string>, std::less<>> places;
    Collect(ManifestSchema(), places);
    return places;
  }();
  const auto found = kPlaces.find(key);
  return found == kPlaces.end() ? std::vector<std::string>{} : found->second;
}

}  // namespace penstock::manifest
