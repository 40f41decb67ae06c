#include "transport/doorbell.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

#include "transport/monotonic.h"

namespace penstock::transport {
namespace {

void WakeAll(std::atomic<std::uint32_t>& word) noexcept {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace

void Bell::Ring() noexcept {
  word.fetch_add(1, std::memory_order_seq_cst);
  // The waiter sets `parked` before it looks at the word for the last time, so one of the two sees the other.
  if (parked.load(std::memory_order_seq_cst) != 0) WakeAll(word);
}

void Bell::Wake() noexcept {
  word.fetch_add(1, std::memory_order_seq_cst);
  WakeAll(word);
}

auto Doorbell::Create() -> base::Expected<Doorbell> {
  PENSTOCK_ASSIGN(auto fd, base::CreateSealedMemfd("penstock-doorbell", sizeof(DoorbellLayout)));
  return Map(std::move(fd));
}

auto Doorbell::Map(base::UniqueFd fd) -> base::Expected<Doorbell> {
  if (!base::HasSealedSize(fd)) {
    return base::Fail(base::ErrorCode::kPeerCorrupt,
                      "a doorbell's memory is not sealed: its size could change under our feet");
  }
  PENSTOCK_ASSIGN(auto mapping, base::Mapping::Map(fd, sizeof(DoorbellLayout)));
  return Doorbell(std::move(fd), std::move(mapping));
}

void SleepAt(Bell& bell, std::uint32_t seen, base::Deadline deadline) noexcept {
  timespec until{};
  const timespec* timeout = nullptr;
  if (const auto& time = deadline.time()) {
    const auto since_boot = std::chrono::duration_cast<std::chrono::nanoseconds>(time->time_since_epoch()).count();
    if (since_boot <= 0) return;
    until.tv_sec = since_boot / 1'000'000'000;
    until.tv_nsec = since_boot % 1'000'000'000;
    timeout = &until;
  }
  // FUTEX_WAIT_BITSET, because its timeout is a point of CLOCK_MONOTONIC: interruptions do not prolong it. Every
  // outcome (woken, word changed, signal, time over) means the same to the caller: look again.
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&bell.word), FUTEX_WAIT_BITSET, seen, timeout, nullptr,
          FUTEX_BITSET_MATCH_ANY);
}

auto SpinAt(const Bell& bell, std::uint32_t seen, std::uint32_t spin_ns) noexcept -> bool {
  const auto until = MonotonicNow() + spin_ns;
  do {
    for (int i = 0; i < 16; ++i) {
      if (bell.word.load(std::memory_order_acquire) != seen) return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (MonotonicNow() < until);
  return false;
}

}  // namespace penstock::transport
