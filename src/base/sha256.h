// Content identity.
#pragma once

#include <string>
#include <string_view>

namespace penstock::base {

/// Lower-case hexadecimal SHA-256 of `data`.
auto Sha256(std::string_view data) -> std::string;

}  // namespace penstock::base
