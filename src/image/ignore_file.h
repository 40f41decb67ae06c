// Which files a .dockerignore keeps out of a build context, by the rules that the docker command follows.
#pragma once

#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace penstock::image {

class IgnoreFile final {
 public:
  /// One pattern a line, relative to the context with or without a slash before it or behind it: `*` and `?` within a
  /// name, `**` over any number of folders, `[a-z]`, `[^a-z]`; `\` before a character that means itself. `!` takes back
  /// what lines above it ignore; a `#` at a line's beginning makes it a comment. Errors: kInvalidArgument with the
  /// line.
  static auto Parse(std::string_view text) -> base::Expected<IgnoreFile>;

  /// `path` is relative to the context. What lies in an ignored folder is ignored, too, unless a later line says `!`.
  auto Ignores(const std::string& path) const -> bool;
  /// Whether something in an ignored folder may not be ignored.
  auto has_exceptions() const noexcept -> bool { return has_exceptions_; }

 private:
  struct Rule {
    std::regex pattern;
    bool ignore = true;
  };
  std::vector<Rule> rules_;
  bool has_exceptions_ = false;
};

}  // namespace penstock::image
