#include "plan/python_lines.h"

#include <algorithm>

namespace penstock::plan {
namespace {

auto IsDigit(char c) -> bool { return c >= '0' && c <= '9'; }
/// Letters beyond ASCII may be in names too.
auto IsNameStart(char c) -> bool {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
auto IsNamePart(char c) -> bool { return IsNameStart(c) || IsDigit(c); }

class Splitter final {
 public:
  explicit Splitter(std::string_view source) : left_(source) {}

  auto Split() -> std::vector<PythonLine> {
    while (!left_.empty()) {
      PythonLine line;
      line.indent = SkipIndent();
      line.number = number_;
      if (!Fill(line)) break;
      if (!line.tokens.empty()) lines_.push_back(std::move(line));
    }
    return std::move(lines_);
  }

 private:
  auto SkipIndent() -> std::size_t {
    constexpr std::size_t kTab = 8;
    std::size_t indent = 0;
    for (; !left_.empty() && (left_.front() == ' ' || left_.front() == '\t'); left_.remove_prefix(1)) {
      indent = left_.front() == ' ' ? indent + 1 : (indent / kTab + 1) * kTab;
    }
    return indent;
  }

  /// Up to the end of the logical line. False: what follows is no Python.
  auto Fill(PythonLine& line) -> bool {
    int depth = 0;
    while (!left_.empty()) {
      const char c = left_.front();
      if (c == '\n') {
        Next();
        if (depth == 0) return true;
      } else if (c == '#') {
        left_.remove_prefix(std::min(left_.find('\n'), left_.size()));
      } else if (c == '\\' || c == ' ' || c == '\t' || c == '\r') {
        left_.remove_prefix(1);
        if (c == '\\' && left_.starts_with('\r')) left_.remove_prefix(1);
        if (c == '\\' && left_.starts_with('\n')) Next();
      } else if (c == '"' || c == '\'') {
        if (!TakeString(line)) return false;
      } else if (IsNamePart(c)) {
        if (!TakeName(line)) return false;
      } else {
        if (c == '(' || c == '[' || c == '{') ++depth;
        if (c == ')' || c == ']' || c == '}') depth = std::max(depth - 1, 0);
        const std::size_t size = left_.starts_with("->") ? 2 : 1;
        line.tokens.push_back({PythonToken::Kind::kOther, std::string(left_.substr(0, size))});
        left_.remove_prefix(size);
      }
    }
    return true;
  }

  /// Past one line end or character.
  void Next() {
    if (left_.front() == '\n') ++number_;
    left_.remove_prefix(1);
  }

  /// A name, a number, or the prefix of a string.
  auto TakeName(PythonLine& line) -> bool {
    const auto end = std::ranges::find_if_not(left_, IsNamePart);
    const auto name = left_.substr(0, static_cast<std::size_t>(end - left_.begin()));
    left_.remove_prefix(name.size());
    constexpr std::size_t kLongestPrefix = 2;
    const bool before_quote = left_.starts_with('"') || left_.starts_with('\'');
    if (before_quote && name.size() <= kLongestPrefix && name.find_first_not_of("rRbBuUfF") == std::string_view::npos)
      return TakeString(line);
    line.tokens.push_back(
        {IsDigit(name.front()) ? PythonToken::Kind::kOther : PythonToken::Kind::kName, std::string(name)});
    return true;
  }

  auto TakeString(PythonLine& line) -> bool {
    const std::string triple(3, left_.front());
    const auto quote = left_.starts_with(triple) ? std::string_view(triple) : std::string_view(triple).substr(0, 1);
    left_.remove_prefix(quote.size());
    std::string text;
    while (!left_.starts_with(quote)) {
      if (left_.empty() || (quote.size() == 1 && left_.front() == '\n')) return false;
      if (left_.front() == '\\' && left_.size() > 1) {
        text += left_.front();
        left_.remove_prefix(1);
      }
      text += left_.front();
      Next();
    }
    left_.remove_prefix(quote.size());
    line.tokens.push_back({PythonToken::Kind::kString, std::move(text)});
    return true;
  }

  std::string_view left_;
  int number_ = 1;
  std::vector<PythonLine> lines_;
};

}  // namespace

auto SplitPython(std::string_view source) -> std::vector<PythonLine> { return Splitter(source).Split(); }

}  // namespace penstock::plan
