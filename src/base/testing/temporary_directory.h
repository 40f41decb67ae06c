// A directory of a test's own.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace penstock::base::testing {

/// Gone, with all that is in it, when this is. Its path is short, as sockets want theirs.
class TemporaryDirectory final {
 public:
  TemporaryDirectory() {
    std::string pattern = "/tmp/penstock-test-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  auto operator=(const TemporaryDirectory&) -> TemporaryDirectory& = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  auto path() const noexcept -> const std::filesystem::path& { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace penstock::base::testing
