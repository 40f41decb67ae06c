// A peer that writes where it can, for tests.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace penstock::transport::testing {

using SharedBytes = std::span<std::atomic<std::uint8_t>>;

inline auto BytesOf(void* data, std::size_t size) -> SharedBytes {
  return {static_cast<std::atomic<std::uint8_t>*>(data), size};
}

/// Flips random bits of some memory, on a thread of its own, for as long as it lives.
class Scribbler final {
 public:
  Scribbler(std::vector<SharedBytes> memory, unsigned seed)
      : memory_(std::move(memory)), random_(seed), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

 private:
  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto& bytes = memory_[random_() % memory_.size()];
      bytes[random_() % bytes.size()].fetch_xor(static_cast<std::uint8_t>(1U << random_() % 8));
      std::this_thread::yield();
    }
  }

  std::vector<SharedBytes> memory_;
  std::mt19937 random_;
  std::jthread thread_;
};

}  // namespace penstock::transport::testing
