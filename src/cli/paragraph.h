// Sentences in lines of a width.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::cli {

/// `text` broken at blanks into lines that end before column `width` (0: no bound), each of which begins with `indent`
/// blanks, and ends with a line feed. A word that is too long has a line of its own, uncut: paths and commands are
/// copied from there.
auto Paragraph(std::string_view text, std::size_t indent, std::size_t width) -> std::string;

}  // namespace penstock::cli
