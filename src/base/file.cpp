#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "base/unique_fd.h"

namespace penstock::base {

auto ReadFile(const std::filesystem::path& path, std::size_t most) -> Expected<std::string> {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) return SystemError(fmt::format("open '{}'", path.string()));
  std::string text;
  std::array<char, 65536> piece{};
  for (;;) {
    const auto size = ::read(file.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return SystemError(fmt::format("read '{}'", path.string()));
    if (size == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(size));
    if (text.size() > most) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' is longer than {} bytes", path.string(), most);
    }
  }
}

auto ReplaceFile(const std::filesystem::path& path, std::string_view text) -> Status {
  auto fresh = path;
  fresh.replace_extension(".new");
  std::ofstream file(fresh);
  file << text;
  file.close();
  if (file.fail()) return Fail(ErrorCode::kUnavailable, "cannot write '{}'", fresh.string());
  if (::rename(fresh.c_str(), path.c_str()) != 0) return SystemError(fmt::format("rename '{}'", fresh.string()));
  return {};
}

}  // namespace penstock::base
