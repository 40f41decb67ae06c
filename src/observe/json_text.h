// Text of unknown bytes in JSON: written fast, valid for every parser, and kept without loss.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock::observe {

auto IsUtf8(std::string_view text) -> bool;
/// Appends `text` in quotes. Bytes that are no UTF-8 become U+FFFD each.
void AppendJsonString(std::string_view text, std::string& out);

auto Base64(std::string_view bytes) -> std::string;
/// nullopt when it is not what Base64 writes.
auto FromBase64(std::string_view text) -> std::optional<std::string>;

}  // namespace penstock::observe
