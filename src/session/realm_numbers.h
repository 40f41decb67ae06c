// The descriptor numbers at which a session's realms sit, the same in every process that holds them.
//
// Processes may serve several sessions, so no two sessions of a user have a number in common: a number is a byte of a
// file in the runtime directory, locked for as long as the session lives. The kernel drops the lock with its holder.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/unique_fd.h"
#include "plan/plan.h"

namespace penstock::session {

class RealmNumbers final {
 public:
  struct Range {
    int first = 0;
    int last = 0;  // before `first` when no number is to be had
  };
  /// Which numbers sessions take theirs from where processes may have `limit` descriptors, for `count` outputs. What is
  /// left above it is for descriptors that a worker moves out of a realm's way.
  static auto RangeWithin(int limit, int count) -> Range;

  /// As many successive numbers as `count`, all in [first, last]. Errors: kExhausted when so many are not free.
  static auto Take(const std::filesystem::path& file, int count, int first, int last) -> base::Expected<RealmNumbers>;
  /// For the outputs of `plan`, within the descriptor limits of its nodes.
  static auto TakeFor(const plan::Plan& plan) -> base::Expected<RealmNumbers>;

  auto first() const noexcept -> int { return first_; }

 private:
  RealmNumbers(int first, base::UniqueFd lock) : first_(first), lock_(std::move(lock)) {}
  int first_;
  base::UniqueFd lock_;
};

}  // namespace penstock::session
