// Text of nodes, builds and images on a terminal: shown, not obeyed.
#pragma once

#include <string>
#include <string_view>

namespace penstock::cli {

/// For a terminal: control characters but tab and line feed are shown instead of sent, ESC as ␛ and those of C1 as
/// \x9b, as are bytes that are no UTF-8. So nothing that a node prints moves the cursor, sets the title or the
/// clipboard, or hides what is printed later. Colours and the like (ESC [ numbers m) pass, and are reset where their
/// line ends. A carriage return before a line feed, or at the end, is left out.
auto Harmless(std::string_view text) -> std::string;

/// The same where `fd` is a terminal; as it is elsewhere, where a program reads it.
auto HarmlessAt(int fd, std::string_view text) -> std::string;

}  // namespace penstock::cli
