// A shared memory mapping and the memfd it usually comes from.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace penstock::base {

class Mapping final {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  auto operator=(Mapping&& other) noexcept -> Mapping&;
  Mapping(const Mapping&) = delete;
  auto operator=(const Mapping&) -> Mapping& = delete;
  ~Mapping();

  /// Maps `bytes` of `fd` shared and writable. kPeerCorrupt when the file is smaller: touching it would be a SIGBUS.
  static auto Map(const UniqueFd& fd, std::size_t bytes) -> Expected<Mapping>;

  auto data() const noexcept -> void* { return data_; }
  auto size() const noexcept -> std::size_t { return size_; }

 private:
  Mapping(void* data, std::size_t size) : data_(data), size_(size) {}
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// An anonymous file whose size nobody can change any more, zero-filled.
auto CreateSealedMemfd(const std::string& name, std::size_t bytes) -> Expected<UniqueFd>;

/// True when `fd` is a memfd that can neither shrink nor grow.
auto HasSealedSize(const UniqueFd& fd) -> bool;

}  // namespace penstock::base
