// Words on the command line and in what it prints.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

/// The one of `words` that `typed` was probably meant to be; nullopt when none is near enough to say so.
auto Nearest(std::string_view typed, const std::vector<std::string>& words) -> std::optional<std::string>;

/// Ids of containers in a sentence of the engine's, 64 hexadecimal digits, as the 12 that tell them apart and that its
/// commands take. What follows "sha256:" is a content's hash, and what follows a slash the name of a file: they stay.
auto ShortenIds(std::string_view text) -> std::string;

}  // namespace penstock::cli
