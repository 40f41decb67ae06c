// What a YAML or JSON text says, with the place of every key and value: the tree that the typed readers walk.
//
// Built from yaml-cpp's events rather than its nodes, because the nodes accept duplicate keys, guess number bases and
// lose positions. Anchors, aliases and merge keys (`<<`) are resolved here; aliases share the value they name, so the
// tree is small even where its expansion would not be. Immutable once built.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::manifest {

/// 1-based; columns count characters.
struct Position {
  int line = 1;
  int column = 1;

  auto operator<=>(const Position&) const = default;
};

class Report;
struct Value;
using ValuePtr = std::shared_ptr<const Value>;

struct Entry {
  std::string key;
  Position key_at;
  ValuePtr value;
};

struct Value {
  enum class Kind { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  Position at;
  std::string text;     // scalars: as written, escapes resolved
  bool quoted = false;  // scalars: quoted, a block, or tagged !!str; never a number or a truth value
  std::vector<ValuePtr> items;
  std::vector<Entry> entries;  // in the order of the file, merged ones last
  std::size_t weight = 1;      // values in here with every alias expanded
  int levels = 0;              // of lists and mappings in here, this one included; likewise

  auto Find(std::string_view key) const -> const Entry*;
};

/// A mapping, a list, a number…: what the value is, for messages ("a list", "text 'abc'").
auto Describe(const Value& value) -> std::string;

inline constexpr std::size_t kMaxTextBytes = 8 * 1024 * 1024;
inline constexpr int kMaxNesting = 64;              // aliases expanded
inline constexpr std::size_t kMaxValues = 500'000;  // likewise
/// YAML's own bound for a key is 1024 characters of its text, so that some longer one could not be written as JSON.
inline constexpr std::size_t kMaxKeyBytes = 1000;  // as JSON writes it

/// Parses one document. Null after an error of syntax, which hides everything else; beside any other (a key given
/// twice, an unknown tag) the tree is what could be read. Limits on size, nesting and expansion keep hostile input from
/// using up stack or memory.
auto ParseTree(std::string_view text, Report& report) -> ValuePtr;

}  // namespace penstock::manifest
