// What fuzz targets share: taking an input apart, and ending the process where an invariant does not hold, which the
// fuzzer takes for a crash and keeps the input of.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace penstock::base::testing {

template <class... Args>
void Require(bool holds, fmt::format_string<Args...> format, Args&&... args) {
  if (holds) return;
  fmt::print(stderr, "BROKEN: {}\n", fmt::format(format, std::forward<Args>(args)...));
  std::fflush(stderr);
  std::abort();
}

/// The input, taken from its front. What is missing reads as zeros.
class FuzzInput final {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  template <class T>
  auto Take() -> T {
    T value{};
    const auto taken = std::min(sizeof(T), left_.size());
    if (taken > 0) std::memcpy(&value, left_.data(), taken);
    left_ = left_.subspan(taken);
    return value;
  }
  auto rest() const -> std::span<const std::uint8_t> { return left_; }
  auto text() const -> std::string_view { return {reinterpret_cast<const char*>(left_.data()), left_.size()}; }

 private:
  std::span<const std::uint8_t> left_;
};

}  // namespace penstock::base::testing
