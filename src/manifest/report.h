// Collects every error of one file. One thread.
#pragma once

#include <fmt/format.h>

#include <compare>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "manifest/value.h"

namespace penstock::manifest {

class Report final {
 public:
  explicit Report(std::string file) : file_(std::move(file)) {}

  template <class... Args>
  void Add(Position at, fmt::format_string<Args...> format, Args&&... args) {
    AddAt(Source(at), fmt::format(format, std::forward<Args>(args)...));
  }
  void AddAt(base::SourcePosition at, std::string message);

  auto Source(Position at) const -> base::SourcePosition { return {file_, at.line, at.column}; }
  auto empty() const noexcept -> bool { return errors_.empty(); }
  /// Sorted by position, without repetitions.
  auto Take() -> std::vector<base::Error>;

 private:
  /// An anchored value is read once for each of its aliases, of which there may be many: its errors are kept once.
  struct Key {
    int line;
    int column;
    std::string message;

    auto operator<=>(const Key&) const = default;
  };

  std::string file_;
  std::map<Key, base::SourcePosition> errors_;
};

}  // namespace penstock::manifest
