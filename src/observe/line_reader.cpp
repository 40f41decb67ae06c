#include "observe/line_reader.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace penstock::observe {

void LineReader::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    const auto piece = bytes.substr(0, newline);
    if (newline != std::string_view::npos && partial_.empty() && piece.size() <= max_line_bytes_) {
      handler_({.text = piece});
      bytes.remove_prefix(newline + 1);
      continue;
    }
    const auto room = max_line_bytes_ - partial_.size();
    if (piece.size() > room) {
      partial_.append(piece.substr(0, room));
      handler_({.text = partial_, .continued = true});
      partial_.clear();
      bytes.remove_prefix(room);
      continue;
    }
    partial_.append(piece);
    if (newline == std::string_view::npos) return;
    handler_({.text = partial_});
    partial_.clear();
    bytes.remove_prefix(newline + 1);
  }
}

void LineReader::End() {
  if (partial_.empty()) return;
  handler_({.text = partial_});
  partial_.clear();
}

auto LineReader::ReadSome(int fd) -> Got {
  std::array<char, 65536> buffer{};
  ssize_t got = 0;
  do {
    got = ::read(fd, buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return Got::kNothingNow;
  if (got <= 0) {
    End();
    return Got::kEnd;
  }
  Feed({buffer.data(), static_cast<std::size_t>(got)});
  return Got::kSome;
}

}  // namespace penstock::observe
