// Typed reading of a value tree, driven by tables: a Type says what a value must be, a Field where it goes.
//
// The tables in model.cpp and docker_reader.cpp are the one description of a manifest: the readers, the JSON Schema and
// the suggestions come from them. A reader reports every problem and goes on: what could not be read stays as it was.
#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "manifest/report.h"
#include "manifest/scalar.h"
#include "manifest/schema.h"
#include "manifest/suggest.h"
#include "manifest/value.h"

namespace penstock::manifest {

/// How to read a V. `name` is the key it was found under, for messages. nullopt: reported already.
template <class V>
struct Type {
  std::function<std::optional<V>(Report&, std::string_view name, const Value&)> read;
  Schema schema;
};

template <class T>
struct Field : FieldRule {
  std::function<void(Report&, const Entry&, T&)> read;
};

template <class V>
struct IsOptional : std::false_type {};
template <class V>
struct IsOptional<std::optional<V>> : std::true_type {};

template <class T, class V, class M>
auto Optional(std::string_view name, Type<V> type, M T::* member, base::SourcePosition T::* at = nullptr) -> Field<T> {
  const FieldRule rule{.name = name, .schema = type.schema};
  return {rule, [type = std::move(type), member, at](Report& report, const Entry& entry, T& out) {
            if constexpr (IsOptional<M>::value) {
              if (out.*member) return report.Add(entry.key_at, "'{}' is given twice, in two spellings", entry.key);
            }
            if (auto read = type.read(report, entry.key, *entry.value)) {
              out.*member = std::move(*read);
              if (at != nullptr) out.*at = report.Source(entry.value->at);
            }
          }};
}

template <class T, class V, class M>
auto Required(std::string_view name, Type<V> type, M T::* member, base::SourcePosition T::* at = nullptr) -> Field<T> {
  auto field = Optional(name, std::move(type), member, at);
  field.required = true;
  return field;
}

/// The same field, keeping where its key stands: for errors about its being there, whatever its value.
template <class T>
auto WithKeyAt(Field<T> field, base::SourcePosition T::* at) -> Field<T> {
  field.read = [read = std::move(field.read), at](Report& report, const Entry& entry, T& out) {
    read(report, entry, out);
    out.*at = report.Source(entry.key_at);
  };
  return field;
}

/// A field of the format that nothing acts on so far: checked like any other, then refused, because a setting that is
/// silently without effect is worse than none.
template <class T, class V>
auto WithoutEffect(std::string_view name, Type<V> type) -> Field<T> {
  const FieldRule rule{.name = name, .schema = type.schema, .refused = true};
  return {rule, [type = std::move(type)](Report& report, const Entry& entry, T&) {
            if (type.read(report, entry.key, *entry.value)) {
              report.Add(entry.key_at, "'{}' has no effect in this version of Penstock: remove it", entry.key);
            }
          }};
}

template <class T>
auto AsAlias(Field<T> field) -> Field<T> {
  field.alias = true;
  return field;
}

template <class T>
auto Rules(std::span<const Field<T>> fields) -> std::vector<FieldRule> {
  return {fields.begin(), fields.end()};
}

template <class T>
void ReadFields(Report& report, std::string_view what, const Value& value, std::span<const Field<T>> fields, T& out);

/// A mapping within the mapping, read into a member that is always there.
template <class T, class Inner>
auto Nested(std::string_view name, std::string_view what, std::span<const Field<Inner>> fields, Inner T::* member)
    -> Field<T> {
  return {{.name = name, .schema = ObjectSchema(what, Rules(fields))},
          [what, fields, member](Report& report, const Entry& entry, T& out) {
            ReadFields(report, what, *entry.value, fields, out.*member);
          }};
}

inline void ReportWrongType(Report& report, std::string_view name, std::string_view wanted, const Value& value) {
  report.Add(value.at, "'{}' must be {}, not {}", name, wanted, Describe(value));
}

/// Reads a mapping into `out`. `what` names the mapping in messages: "a node", "'docker'".
template <class T>
void ReadFields(Report& report, std::string_view what, const Value& value, std::span<const Field<T>> fields, T& out) {
  if (value.kind != Value::Kind::kMapping) {
    report.Add(value.at, "{} must be a mapping, not {}", what, Describe(value));
    return;
  }
  for (const auto& entry : value.entries) {
    const auto field = std::ranges::find(fields, std::string_view(entry.key), &Field<T>::name);
    if (field != fields.end()) {
      field->read(report, entry, out);
      continue;
    }
    std::vector<std::string_view> known;
    for (const auto& candidate : fields) {
      if (!candidate.alias && !candidate.refused) known.push_back(candidate.name);
    }
    report.Add(entry.key_at, "unknown key '{}' in {}{}", Shown(entry.key), what, SuggestKey(entry.key, known));
  }
  for (const auto& field : fields) {
    if (field.required && value.Find(field.name) == nullptr) {
      report.Add(value.at, "{} has no '{}'", what, field.name);
    }
  }
}

/// A mapping with fields. What is right in it is kept even when something else is wrong.
template <class T>
auto Object(std::string_view what, std::span<const Field<T>> fields) -> Type<T> {
  return {[what, fields](Report& report, std::string_view, const Value& value) -> std::optional<T> {
            T out;
            if constexpr (requires { out.at; }) out.at = report.Source(value.at);
            ReadFields(report, what, value, fields, out);
            return out;
          },
          ObjectSchema(what, Rules(fields))};
}

template <class V>
auto ListOf(Type<V> type) -> Type<std::vector<V>> {
  auto schema = ListSchema(type.schema);
  return {[type = std::move(type)](Report& report, std::string_view name,
                                   const Value& value) -> std::optional<std::vector<V>> {
            if (value.kind != Value::Kind::kSequence) {
              ReportWrongType(report, name, "a list", value);
              return std::nullopt;
            }
            std::vector<V> items;
            for (const auto& item : value.items) {
              if (auto read = type.read(report, name, *item)) items.push_back(std::move(*read));
            }
            return items;
          },
          std::move(schema)};
}

template <class V>
auto OneOf(std::vector<std::pair<std::string_view, V>> choices) -> Type<V> {
  std::vector<std::string_view> words;
  for (const auto& [word, meaning] : choices) words.push_back(word);
  auto schema = WordsSchema(words);
  return {[choices = std::move(choices), words = std::move(words)](Report& report, std::string_view name,
                                                                   const Value& value) -> std::optional<V> {
            for (const auto& [word, meaning] : choices) {
              if (value.kind == Value::Kind::kScalar && value.text == word) return meaning;
            }
            report.Add(value.at, "'{}' must be one of '{}', not {}{}", name, fmt::join(words, "', '"), Describe(value),
                       Nearest(value.text, words).empty() ? std::string{} : Suggest(value.text, words));
            return std::nullopt;
          },
          std::move(schema)};
}

}  // namespace penstock::manifest
