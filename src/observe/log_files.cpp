#include "observe/log_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace penstock::observe {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "log.";
constexpr std::string_view kSuffix = ".jsonl";

// Bytes written; errno is set when they are fewer than all.
auto WriteAll(int fd, std::string_view block) -> std::size_t {
  std::size_t done = 0;
  while (done < block.size()) {
    const auto written = ::write(fd, block.data() + done, block.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) break;
    done += static_cast<std::size_t>(written);
  }
  return done;
}

}  // namespace

LogFiles::LogFiles(fs::path folder, RotateFiles rotate) : folder_(std::move(folder)), rotate_(rotate) {}

auto LogFiles::NameOf(std::uint64_t number) -> std::string {
  return fmt::format("{}{:06}{}", kPrefix, number, kSuffix);
}

auto LogFiles::Numbers(const fs::path& folder) -> std::vector<std::uint64_t> {
  std::vector<std::uint64_t> numbers;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    std::uint64_t number = 0;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size() - kSuffix.size(), number);
    if (number > 0 && name == NameOf(number)) numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

auto LogFiles::BeginNext(Written& written) -> int {
  const auto next = number_ + 1;
  base::UniqueFd file(
      ::open((folder_ / NameOf(next)).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return errno;
  file_ = std::move(file);
  number_ = next;
  size_ = 0;
  lines_.push_back(0);
  if (number_ > rotate_.count) {
    const auto oldest = number_ - rotate_.count;
    if (::unlink((folder_ / NameOf(oldest)).c_str()) == 0) written.removed_lines = lines_[oldest - 1];
  }
  return 0;
}

auto LogFiles::Append(std::string_view block, const std::vector<std::size_t>& ends) -> Written {
  Written written;
  if (!file_ || (size_ > 0 && size_ + block.size() > rotate_.bytes)) {
    written.error = BeginNext(written);
    if (written.error != 0) return written;
  }
  const auto done = WriteAll(file_.get(), block);
  if (done < block.size()) written.error = errno;
  written.lines = static_cast<std::size_t>(std::ranges::upper_bound(ends, done) - ends.begin());
  const auto whole = written.lines == 0 ? 0 : ends[written.lines - 1];
  size_ += whole;
  lines_.back() += written.lines;
  // Where taking back fails as well, the next line would continue the broken one: it goes to a file of its own.
  if (done > whole && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) file_.reset();
  return written;
}

}  // namespace penstock::observe
