// Fields of the model as JSON, those that were not given left out.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "manifest/docker_section.h"

namespace penstock::manifest {

template <class V>
void Put(nlohmann::json& object, const char* key, const std::optional<V>& value) {
  if (!value) return;
  if constexpr (std::is_same_v<V, Duration>) {
    object[key] = ToJson(*value);
  } else if constexpr (std::is_enum_v<V>) {
    object[key] = ToString(*value);
  } else {
    object[key] = *value;
  }
}

inline void PutList(nlohmann::json& object, const char* key, nlohmann::json list) {
  if (!list.empty()) object[key] = std::move(list);
}

}  // namespace penstock::manifest
