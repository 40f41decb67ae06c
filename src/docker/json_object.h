// Reads one JSON object without surprises: missing and null members are defaults, wrong types are noted, nothing
// throws.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "docker/types.h"

namespace penstock::docker {

/// Errors: kPeerCorrupt. `attempt` as in HttpRequest.
auto ParseJson(std::string_view attempt, std::string_view text) -> base::Expected<nlohmann::json>;

/// A view of `value`, which must outlive it. The first problem found by it or its children goes to `problem`.
class JsonObject final {
 public:
  JsonObject(const nlohmann::json& value, std::string& problem, std::string path = {});

  auto Text(std::string_view key) const -> std::string;
  /// Missing, null or empty is a problem too.
  auto RequiredText(std::string_view key) const -> std::string;
  auto Number(std::string_view key) const -> std::int64_t;
  /// Missing or null is a problem too.
  auto RequiredNumber(std::string_view key) const -> std::int64_t;
  auto Int(std::string_view key) const -> int;
  auto Flag(std::string_view key) const -> bool;
  auto Texts(std::string_view key) const -> Strings;
  auto Map(std::string_view key) const -> StringMap;
  auto Child(std::string_view key) const -> JsonObject;

 private:
  auto Find(std::string_view key) const -> const nlohmann::json*;
  void Note(std::string_view key, std::string_view expected) const;

  const nlohmann::json* value_;
  std::string* problem_;
  std::string path_;
};

}  // namespace penstock::docker
