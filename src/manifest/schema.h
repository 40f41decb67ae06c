// JSON Schema (draft 2020-12) of what the readers accept, made from the same tables.
//
// It holds what concerns one place of a manifest: keys, types, bounds, words, patterns. What must hold between places
// (references, cycles, sums) only the loader knows. Immutable values, any thread.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::manifest {

using Schema = std::shared_ptr<const nlohmann::json>;

/// What a table says of one key.
struct FieldRule {
  std::string_view name;
  Schema schema;
  bool required = false;
  bool alias = false;    // an older spelling: understood, not suggested
  bool refused = false;  // part of the format, without effect in this version
};

auto AnySchema() -> Schema;
/// Text with at least one character; `pattern` may be empty.
auto TextSchema(std::string_view pattern) -> Schema;
auto TextOrNumberSchema(std::string_view pattern) -> Schema;
auto BooleanSchema() -> Schema;
/// `type` is "integer" or "number".
auto NumberSchema(std::string_view type, double least, double most) -> Schema;
auto WordsSchema(const std::vector<std::string_view>& words) -> Schema;
auto ListSchema(const Schema& items) -> Schema;
/// `title` names the mapping as in messages: "a node", "'docker'".
auto ObjectSchema(std::string_view title, std::span<const FieldRule> fields) -> Schema;
auto EitherSchema(const std::vector<Schema>& choices) -> Schema;
/// `schema` with further keywords, given as a JSON object.
auto WithKeywords(const Schema& schema, const nlohmann::json& keywords) -> Schema;

/// Of a whole manifest.
auto ManifestSchema() -> const nlohmann::json&;

/// The titles of the mappings in which `key` is known, in the order of the document.
auto PlacesOf(std::string_view key) -> std::vector<std::string>;

}  // namespace penstock::manifest
