#include "cli/colour.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

namespace penstock::cli {
namespace {

auto Environment(const char* name) -> std::string_view {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing in the process sets variables
  return value == nullptr ? "" : value;
}

auto CodeOf(Colour colour) -> int {
  switch (colour) {
    case Colour::kRed:
      return 31;
    case Colour::kGreen:
      return 32;
    case Colour::kYellow:
      return 33;
    case Colour::kDim:
      return 2;
    case Colour::kBold:
      return 1;
  }
  return 0;
}

}  // namespace

auto HasColours(int fd) -> bool {
  return ::isatty(fd) == 1 && Environment("NO_COLOR").empty() && Environment("TERM") != "dumb";
}

auto Paint(bool coloured, Colour colour, std::string_view text) -> std::string {
  return coloured ? fmt::format("\033[{}m{}\033[0m", CodeOf(colour), text) : std::string(text);
}

}  // namespace penstock::cli
