#include "base/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace penstock::base {

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

auto Mapping::operator=(Mapping&& other) noexcept -> Mapping& {
  if (this != &other) {
    if (data_ != nullptr) ::munmap(data_, size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

auto Mapping::Map(const UniqueFd& fd, std::size_t bytes) -> Expected<Mapping> {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return SystemError("look at the memory to map");
  if (static_cast<std::size_t>(status.st_size) < bytes) {
    return Fail(ErrorCode::kPeerCorrupt, "shared memory of {} bytes is smaller than the {} bytes it must hold",
                status.st_size, bytes);
  }
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return SystemError(fmt::format("map {} bytes of shared memory", bytes));
  return Mapping(data, bytes);
}

namespace {
constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
}

auto CreateSealedMemfd(const std::string& name, std::size_t bytes) -> Expected<UniqueFd> {
  UniqueFd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return SystemError("create a memfd");
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0)
    return SystemError(fmt::format("size a memfd to {} bytes", bytes));
  if (::fcntl(fd.get(), F_ADD_SEALS, kSizeSeals) != 0) return SystemError("seal the size of a memfd");
  return fd;
}

auto HasSealedSize(const UniqueFd& fd) -> bool {
  constexpr int kNeeded = F_SEAL_SHRINK | F_SEAL_GROW;
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  return seals >= 0 && (seals & kNeeded) == kNeeded;
}

}  // namespace penstock::base
