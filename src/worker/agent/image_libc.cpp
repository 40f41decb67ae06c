#include "worker/agent/image_libc.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace penstock::worker::agent {
namespace {

// glibc carries "GNU C Library (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36." in its text. The agent is
// static, so asking its own library would tell about the build machine.
auto VersionIn(const char* path) -> std::string {
  constexpr std::string_view kMark = "stable release version ";
  const base::UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return {};
  const std::string_view text(static_cast<const char*>(data), size);
  std::string version;
  if (const auto mark = text.find(kMark); mark != std::string_view::npos) {
    const auto start = mark + kMark.size();
    auto end = text.find_first_not_of("0123456789.", start);
    if (end == std::string_view::npos) end = text.size();
    version = text.substr(start, end - start);
    while (!version.empty() && version.back() == '.') version.pop_back();
  }
  ::munmap(data, size);
  return version;
}

}  // namespace

auto ImageGlibcVersion() -> std::string {
  utsname names{};
  if (::uname(&names) != 0) return {};
  const std::string machine = names.machine;
  const std::vector<std::string> candidates{"/lib/" + machine + "-linux-gnu/libc.so.6",
                                            "/usr/lib/" + machine + "-linux-gnu/libc.so.6", "/lib64/libc.so.6",
                                            "/usr/lib64/libc.so.6", "/usr/lib/libc.so.6"};
  for (const auto& path : candidates) {
    if (auto version = VersionIn(path.c_str()); !version.empty()) return version;
  }
  return {};
}

}  // namespace penstock::worker::agent
