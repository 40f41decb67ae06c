#include "session/realm_numbers.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "base/paths.h"

namespace penstock::session {
namespace {
using base::ErrorCode;
using base::Fail;

// Above what an interpreter opens by itself, also in a container with few descriptors.
constexpr int kLowest = 400;
// Left above the realms for descriptors that a worker moves out of their way.
constexpr int kRoomAbove = 256;

// True when [first, first + count) is ours now. `blocked` is set to the end of what is in the way otherwise.
auto TryLock(const base::UniqueFd& file, int first, int count, int& blocked) -> base::Expected<bool> {
  struct flock range{};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = count;
  auto wanted = range;
  if (::fcntl(file.get(), F_OFD_SETLK, &range) == 0) return true;
  if (errno != EAGAIN && errno != EACCES) return base::SystemError("lock a range of realm numbers");
  blocked = first + 1;
  if (::fcntl(file.get(), F_OFD_GETLK, &wanted) == 0 && wanted.l_type != F_UNLCK)
    blocked = std::max(blocked, static_cast<int>(wanted.l_start + wanted.l_len));
  return false;
}

auto LimitFor(const plan::Plan& plan) -> int {
  rlimit own{};
  ::getrlimit(RLIMIT_NOFILE, &own);
  auto limit = static_cast<std::uint64_t>(std::min<rlim_t>(own.rlim_max, 1U << 20U));
  for (const auto& node : plan.nodes) {
    if (node.container) limit = std::min<std::uint64_t>(limit, node.container->limits.nofile);
  }
  return static_cast<int>(limit);
}

}  // namespace

auto RealmNumbers::Take(const std::filesystem::path& file, int count, int first, int last)
    -> base::Expected<RealmNumbers> {
  base::UniqueFd lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return base::SystemError(fmt::format("open '{}'", file.string()));
  if (count == 0) return RealmNumbers(first, std::move(lock));
  const int places = last - first + 2 - count;
  if (places > 0) {
    // From a random place on, around once: neighbours would otherwise all look at the same ones first.
    const int start = first + static_cast<int>(std::random_device()() % static_cast<unsigned>(places));
    for (const auto& [from, to] : {std::pair{start, first + places}, std::pair{first, start}}) {
      for (int at = from; at < to;) {
        PENSTOCK_ASSIGN(const bool taken, TryLock(lock, at, count, at));
        if (taken) return RealmNumbers(at, std::move(lock));
      }
    }
  }
  return Fail(ErrorCode::kExhausted,
              "no {} descriptor numbers in a row are free between {} and {} for the shared memory of this session's "
              "outputs: raise docker.resource_limits.nofile of its nodes, or end other sessions",
              count, first, last);
}

auto RealmNumbers::RangeWithin(int limit, int count) -> Range {
  // Descriptors that the nodes' own code opens come from below, so realms take the upper half.
  const int first = std::max(kLowest, limit / 2);
  const int numbers = std::max(limit - first, 0);
  // Of few numbers at most half: other sessions need some as well.
  const int room = std::clamp(numbers - count, 0, std::min(kRoomAbove, numbers / 2));
  return {.first = first, .last = limit - 1 - room};
}

auto RealmNumbers::TakeFor(const plan::Plan& plan) -> base::Expected<RealmNumbers> {
  PENSTOCK_ASSIGN(const auto directory, base::RuntimeDirectory());
  const int count = static_cast<int>(plan.outputs.size());
  const auto range = RangeWithin(LimitFor(plan), count);
  return Take(directory / "realms", count, range.first, range.last);
}

}  // namespace penstock::session
