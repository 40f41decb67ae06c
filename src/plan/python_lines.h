// Python source as logical lines of tokens: comments gone, brackets and backslashes joined.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::plan {

struct PythonToken {
  enum class Kind { kName, kString, kOther };
  Kind kind = Kind::kOther;
  std::string text;  // strings: what is between the quotes, escapes as written
};

struct PythonLine {
  int number = 0;  // where it begins, 1-based
  std::size_t indent = 0;
  std::vector<PythonToken> tokens;
};

/// What follows something that is not Python (a string that does not end) is left out.
auto SplitPython(std::string_view source) -> std::vector<PythonLine>;

}  // namespace penstock::plan
