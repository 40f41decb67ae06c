// The files of one session's log: log.000001.jsonl, log.000002.jsonl, …, of which the newest few are kept. Numbers only
// grow and a file is never renamed, so that a reader cannot mistake one for another. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::observe {

struct RotateFiles {
  std::uint64_t bytes = std::uint64_t{16} << 20U;  // of one file, before the next is begun
  unsigned count = 4;                              // files of one session, the oldest goes first
};

class LogFiles final {
 public:
  LogFiles(std::filesystem::path folder, RotateFiles rotate);

  struct Written {
    std::size_t lines = 0;            // of the block, from its start
    int error = 0;                    // errno of what prevented the rest
    std::uint64_t removed_lines = 0;  // with the oldest file
  };
  /// Appends a block of lines, which end at the offsets `ends`, to one file: the newest, or the next one. What a full
  /// disk cuts off inside a line is taken back, so that files hold whole lines.
  auto Append(std::string_view block, const std::vector<std::size_t>& ends) -> Written;

  static auto NameOf(std::uint64_t number) -> std::string;
  /// Numbers of the files in `folder`, ascending.
  static auto Numbers(const std::filesystem::path& folder) -> std::vector<std::uint64_t>;

 private:
  /// Returns errno, 0 when all is well.
  auto BeginNext(Written& written) -> int;

  std::filesystem::path folder_;
  RotateFiles rotate_;
  std::uint64_t number_ = 0;
  base::UniqueFd file_;
  std::uint64_t size_ = 0;
  std::vector<std::uint64_t> lines_;  // of each file, by number - 1
};

}  // namespace penstock::observe
