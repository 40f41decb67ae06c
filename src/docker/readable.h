// What an engine said, fit for a sentence: it may be anything, and goes to terminals, logs and JSON.
#pragma once

#include <string>
#include <string_view>

namespace penstock::docker {

/// At most `most` bytes of `text`, with "…" when there is more, and without the line ends and blanks behind it. Bytes
/// that are no UTF-8, and control characters but line ends and tabs, become U+FFFD.
auto Readable(std::string_view text, std::size_t most) -> std::string;

}  // namespace penstock::docker
