#include "transport/state_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using base::ErrorCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Must;

class StateMemoryTest : public testing::Watched {};

constexpr std::size_t kInputs = 2;
constexpr std::size_t kOutputs = 3;

auto Shared(const StateMemory& memory) -> StateMemory {
  return Must(StateMemory::Map(Must(memory.fd().Duplicate()), kInputs, kOutputs));
}

// The n-th state of a writer: everything in it follows from n, its size too.
auto StateNumber(std::uint64_t n) -> KeptState {
  return {.inputs = {n, 2 * n},
          .outputs = {static_cast<std::uint64_t>(n), 0, 7},
          .format = static_cast<std::uint32_t>(n % 5),
          .bytes = std::string(static_cast<std::size_t>(n * 37 % 300), static_cast<char>('a' + n % 26))};
}

auto Same(const KeptState& one, const KeptState& other) -> bool {
  return one.inputs == other.inputs && one.outputs == other.outputs && one.format == other.format &&
         one.bytes == other.bytes;
}

auto KeepNumber(StateMemory& memory, std::uint64_t n) -> base::Status {
  const auto state = StateNumber(n);
  return memory.Keep(state.inputs, state.outputs, state.format, state.bytes);
}

TEST_F(StateMemoryTest, NothingIsThereBeforeAnythingWasKept) {
  const auto memory = Must(StateMemory::Create(kInputs, kOutputs));
  EXPECT_EQ(Must(Shared(memory).Load()), std::nullopt);
}

TEST_F(StateMemoryTest, ASuccessorFindsTheLastStateWithItsPositions) {
  auto memory = Must(StateMemory::Create(kInputs, kOutputs));
  auto worker = Shared(memory);
  for (std::uint64_t n = 1; n <= 5; ++n) Must(KeepNumber(worker, n));
  const auto kept = Must(Shared(memory).Load());
  ASSERT_TRUE(kept);
  EXPECT_THAT(kept->inputs, ElementsAre(5, 10));
  EXPECT_THAT(kept->outputs, ElementsAre(5, 0, 7));
  EXPECT_TRUE(Same(*kept, StateNumber(5)));
}

TEST_F(StateMemoryTest, TheLargestStateFitsAndALargerOneLeavesWhatWasKept) {
  auto memory = Must(StateMemory::Create(kInputs, kOutputs));
  const auto state = StateNumber(1);
  const std::string largest(StateMemory::kMaxBytes, 'x');
  Must(memory.Keep(state.inputs, state.outputs, 0, largest));
  const auto refused = memory.Keep(state.inputs, state.outputs, 0, largest + "x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Must(memory.Load())->bytes, largest);
}

TEST_F(StateMemoryTest, MemoryThatCouldShrinkIsSmallerOrIsSomethingElseIsRefused) {
  base::UniqueFd unsealed(::memfd_create("unsealed", MFD_CLOEXEC));
  const auto could_shrink = StateMemory::Map(std::move(unsealed), kInputs, kOutputs);
  ASSERT_FALSE(could_shrink);
  EXPECT_EQ(could_shrink.error().code(), ErrorCode::kPeerCorrupt);
  const auto smaller = StateMemory::Map(Must(base::CreateSealedMemfd("small", 4096)), kInputs, kOutputs);
  ASSERT_FALSE(smaller);
  EXPECT_EQ(smaller.error().code(), ErrorCode::kPeerCorrupt);
  const auto other = StateMemory::Map(Must(base::CreateSealedMemfd("zeros", 4U << 20U)), kInputs, kOutputs);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message(), HasSubstr("something else"));
}

// A writer killed after any number of instructions leaves what a reader sees between these instructions.
TEST_F(StateMemoryTest, AWriterKilledAtAnyInstructionLeavesOneCompleteState) {
  constexpr std::uint64_t kStates = 8;
  auto memory = Must(StateMemory::Create(kInputs, kOutputs));
  const pid_t writer = ::fork();
  if (writer == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    for (std::uint64_t n = 1; n <= kStates; ++n) {
      if (!KeepNumber(memory, n)) ::_exit(1);
    }
    ::_exit(0);
  }
  ASSERT_GT(writer, 0);
  int status = 0;
  ASSERT_EQ(::waitpid(writer, &status, 0), writer);
  ASSERT_TRUE(WIFSTOPPED(status)) << "this system does not let a process trace its child";
  std::uint64_t seen = 0;
  std::uint64_t instructions = 0;
  while (::ptrace(PTRACE_SINGLESTEP, writer, nullptr, nullptr) == 0) {
    ASSERT_EQ(::waitpid(writer, &status, 0), writer);
    if (!WIFSTOPPED(status)) break;
    ++instructions;
    const auto kept = memory.Load();
    ASSERT_TRUE(kept) << "after " << instructions << " instructions: " << kept.error().ToString();
    if (!*kept) {
      ASSERT_EQ(seen, 0U);
      continue;
    }
    const auto n = (*kept)->inputs.front();
    ASSERT_TRUE(n == seen || n == seen + 1) << "after " << instructions << " instructions";
    ASSERT_TRUE(Same(**kept, StateNumber(n))) << "after " << instructions << " instructions";
    seen = n;
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(seen, kStates);
  EXPECT_GT(instructions, 100 * kStates);
}

TEST_F(StateMemoryTest, AWriterKilledInFullFlightLeavesAtLeastWhatItHadSaid) {
  for (int round = 0; round < 40; ++round) {
    auto memory = Must(StateMemory::Create(kInputs, kOutputs));
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const pid_t writer = ::fork();
    if (writer == 0) {
      for (std::uint64_t n = 1;; ++n) {
        if (!KeepNumber(memory, n) || ::write(pipe[1], &n, sizeof(n)) != sizeof(n)) ::_exit(1);
      }
    }
    ::close(pipe[1]);
    std::uint64_t said = 0;
    for (int i = 0; i <= round * 7; ++i) ASSERT_EQ(::read(pipe[0], &said, sizeof(said)), ssize_t{sizeof(said)});
    ::kill(writer, SIGKILL);
    ASSERT_EQ(::waitpid(writer, nullptr, 0), writer);
    while (::read(pipe[0], &said, sizeof(said)) == sizeof(said)) {
    }
    ::close(pipe[0]);
    const auto kept = Must(memory.Load());
    ASSERT_TRUE(kept);
    const auto n = kept->inputs.front();
    EXPECT_TRUE(n == said || n == said + 1) << "kept " << n << ", said " << said;
    EXPECT_TRUE(Same(*kept, StateNumber(n)));
  }
}

RC_GTEST_PROP(StateMemoryProperty, WhateverIsWrittenIntoItIsNoticedOrHarmless, ()) {
  auto memory = Must(StateMemory::Create(kInputs, kOutputs));
  const auto states = *rc::gen::inRange<std::uint64_t>(1, 4);
  for (std::uint64_t n = 1; n <= states; ++n) Must(KeepNumber(memory, n));
  struct stat status{};
  RC_ASSERT(::fstat(memory.fd().get(), &status) == 0);
  auto hostile = Must(base::Mapping::Map(memory.fd(), static_cast<std::size_t>(status.st_size)));
  const auto writes = *rc::gen::inRange(1, 5);
  for (int i = 0; i < writes; ++i) {
    // The head, or near the beginning of either slot.
    const auto part = *rc::gen::inRange<std::size_t>(0, 3);
    const auto slot = (hostile.size() - 4096) / 2;
    const auto start = part == 0 ? 0 : 4096 + (part - 1) * slot;
    const auto offset = start + *rc::gen::inRange<std::size_t>(0, part == 0 ? 16 : 200);
    static_cast<unsigned char*>(hostile.data())[offset] = *rc::gen::arbitrary<unsigned char>();
  }
  const auto kept = memory.Load();
  if (!kept) {
    RC_ASSERT(kept.error().code() == ErrorCode::kPeerCorrupt);
  } else if (*kept) {
    RC_ASSERT(Same(**kept, StateNumber((*kept)->inputs.front())));
  }
}

}  // namespace
}  // namespace penstock::transport
