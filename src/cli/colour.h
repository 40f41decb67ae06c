// Colours and widths of what is printed for people.
#pragma once

#include <string>
#include <string_view>

namespace penstock::cli {

enum class Colour { kRed, kGreen, kYellow, kDim, kBold };

/// Whether `fd` is a terminal that may be coloured: not where NO_COLOR says anything, or TERM says that it cannot.
auto HasColours(int fd) -> bool;

/// `text` in that colour, or as it is where `coloured` is false.
auto Paint(bool coloured, Colour colour, std::string_view text) -> std::string;

}  // namespace penstock::cli
