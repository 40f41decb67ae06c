// From the output of a failed step to a sentence that says what to change.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::image {

/// Shortens every URL in `text` to its last part: a mirror's address may hold a password, and is nobody's business.
auto RedactUrls(std::string_view text) -> std::string;

/// The last lines of a step's output.
class Tail final {
 public:
  static constexpr std::size_t kLines = 20;  // what a failure shows: enough for pip's and apt's longest complaints
  void Add(std::string_view line);
  /// Each line indented, with its line end.
  auto Show() const -> std::string;
  /// For the diagnosis: more than is shown, because compilers bury the cause.
  auto lines() const noexcept -> const std::deque<std::string>& { return lines_; }

 private:
  static constexpr std::size_t kKept = 400;
  std::deque<std::string> lines_;
};

/// One sentence for the well-known causes: a package or version that does not exist, none for this Python, a compiler
/// or header that is missing, certificates, name resolution, a full disk. nullopt: no idea.
auto Diagnose(const std::deque<std::string>& lines, std::string_view python_version) -> std::optional<std::string>;

/// Whether the cause lies outside of what was asked for, in network or disk, so that the same may succeed next time.
auto IsPassing(const std::deque<std::string>& lines) -> bool;

}  // namespace penstock::image
