// The element types of arrays, for people.
#pragma once

#include <fmt/format.h>

#include <array>
#include <string>

#include "message/header.h"

namespace penstock::nodes {

/// "float32", "uint8".
inline auto TypeName(const message::DataType& type) -> std::string {
  constexpr std::array kNames{"int", "uint", "float", "opaque", "bfloat", "complex", "bool"};
  return fmt::format("{}{}", type.code < kNames.size() ? kNames.at(type.code) : "type", type.bits);
}

}  // namespace penstock::nodes
