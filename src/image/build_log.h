// The output of one build, in a file while it is made: what those who wait for it show, and what a failure is kept by.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"
#include "image/progress.h"

namespace penstock::image {

/// A line of a build's output that announces a step: the scripts print it, the log keeps it.
inline constexpr std::string_view kStepMark = "::step ";

/// Where the log of `identity` is: $XDG_STATE_HOME/penstock/builds/IDENTITY.log.
auto BuildLogPath(const std::string& identity) -> base::Expected<std::filesystem::path>;

/// Written by the builder, who holds the lock of the identity. What cannot be written is lost: a full disk is reported
/// by the build itself.
class BuildLog final {
 public:
  /// Empties the file.
  static auto Create(const std::string& identity) -> base::Expected<BuildLog>;
  void Step(std::string_view name) { Write(std::string(kStepMark).append(name)); }
  void Line(std::string_view line) { Write(std::string(line)); }

 private:
  explicit BuildLog(base::UniqueFd file) : file_(std::move(file)) {}
  void Write(std::string line);
  base::UniqueFd file_;
};

/// Follows somebody else's log while it is written, on a thread of its own that sleeps until the file changes.
class BuildFollower final {
 public:
  /// `progress` is called from that thread, with `subject` as image, until the follower is destroyed.
  static auto Start(const std::string& identity, std::string subject, const ProgressSink& progress)
      -> base::Expected<BuildFollower>;
  BuildFollower(BuildFollower&&) = default;
  auto operator=(BuildFollower&&) -> BuildFollower& = delete;
  ~BuildFollower();

 private:
  BuildFollower(base::UniqueFd end, std::jthread thread) : end_(std::move(end)), thread_(std::move(thread)) {}
  base::UniqueFd end_;  // an eventfd that ends the thread
  std::jthread thread_;
};

}  // namespace penstock::image
