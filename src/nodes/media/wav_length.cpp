#include "nodes/media/wav_length.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

namespace penstock::nodes::media {
namespace {

constexpr std::uint32_t kUnknown = 0xFFFFFFFF;  // written by programs that cannot seek back; some write 0

struct ChunkHeader {
  std::array<char, 4> id{};
  std::uint32_t size = 0;
};
static_assert(sizeof(ChunkHeader) == 8);

auto ReadAt(int fd, std::int64_t offset, void* target, std::size_t size) -> bool {
  return ::pread(fd, target, size, offset) == static_cast<ssize_t>(size);
}

}  // namespace

auto ReadWavLength(int fd) -> WavLength {
  struct stat status{};
  std::array<char, 12> start{};
  if (::fstat(fd, &status) != 0 || !ReadAt(fd, 0, start.data(), start.size())) return {};
  const std::string_view text(start.data(), start.size());
  if (!text.starts_with("RIFF") || !text.ends_with("WAVE")) return {};
  ChunkHeader chunk;
  for (std::int64_t offset = 12; ReadAt(fd, offset, &chunk, sizeof chunk);) {
    offset += static_cast<std::int64_t>(sizeof chunk);
    if (std::string_view(chunk.id.data(), chunk.id.size()) == "data") {
      const bool stated = chunk.size != 0 && chunk.size != kUnknown;
      return {.announced_bytes = stated ? chunk.size : 0, .present_bytes = status.st_size - offset};
    }
    offset += chunk.size + chunk.size % 2;  // chunks start at even offsets
  }
  return {};
}

}  // namespace penstock::nodes::media
