#include "container/host_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/testing/temporary_directory.h"

namespace penstock::container {
namespace {

constexpr auto kVmstat = "nr_free_pages 1\npgmajfault 9\noom_kill 4\nunevictable_pgs_culled 0\n";
constexpr auto kMeminfo = "MemTotal:       24683704 kB\nMemFree:          123456 kB\nMemAvailable:     204800 kB\n";
constexpr auto kPressure =
    "some avg10=12.50 avg60=3.10 avg300=1.00 total=1\nfull avg10=7.25 avg60=1.10 avg300=0.40 total=1\n";

TEST(HostMemory, IsReadFromTheKernelsTexts) {
  const auto memory = ParseHostMemory(kVmstat, kMeminfo, kPressure);
  EXPECT_EQ(memory.oom_kills, 4U);
  EXPECT_EQ(memory.total_bytes, 24683704ULL * 1024);
  EXPECT_EQ(memory.available_bytes, 204800ULL * 1024);
  EXPECT_DOUBLE_EQ(memory.stalled.value(), 0.0725);
  EXPECT_TRUE(memory.IsShort());
}

TEST(HostMemory, IsShortWhenLittleIsAvailableOrEverybodyWaitsForIt) {
  EXPECT_FALSE((HostMemory{.total_bytes = 1000, .available_bytes = 500, .stalled = 0.01}).IsShort());
  EXPECT_TRUE((HostMemory{.total_bytes = 1000, .available_bytes = 10, .stalled = 0}).IsShort());
  EXPECT_TRUE((HostMemory{.total_bytes = 1000, .available_bytes = 500, .stalled = 0.2}).IsShort());
}

TEST(HostMemory, OfAKernelThatTellsNothingIsNotShort) {
  const auto memory = ParseHostMemory("", "", "");
  EXPECT_EQ(memory.oom_kills, 0U);
  EXPECT_FALSE(memory.stalled);
  EXPECT_FALSE(memory.IsShort());
}

class OwnGroup : public ::testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) {
    const auto path = directory_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  auto Kills() -> std::uint64_t {
    Write("proc/vmstat", kVmstat);
    return ReadHostMemory(directory_.path() / "proc", directory_.path() / "cgroup").oom_kills;
  }
  base::testing::TemporaryDirectory directory_;
};

// A container that meets its own limit elsewhere is nothing to a process of this group.
TEST_F(OwnGroup, OfVersion1CountsItsOwnKills) {
  Write("proc/self/cgroup", "4:memory:/user/me\n1:cpu:/\n0::/\n");
  Write("cgroup/memory/user/me/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  EXPECT_EQ(Kills(), 1U);
}

TEST_F(OwnGroup, OfVersion2CountsItsOwnKills) {
  Write("proc/self/cgroup", "0::/user.slice/session-1.scope\n");
  Write("cgroup/user.slice/session-1.scope/memory.events", "low 0\nmax 3\noom 2\noom_kill 2\noom_group_kill 0\n");
  EXPECT_EQ(Kills(), 2U);
  Write("cgroup/user.slice/session-1.scope/memory.events.local", "low 0\noom 0\noom_kill 0\noom_group_kill 0\n");
  EXPECT_EQ(Kills(), 0U);
}

TEST_F(OwnGroup, ThatCannotBeSeenLeavesThoseOfTheHost) {
  EXPECT_EQ(Kills(), 4U);
  Write("proc/self/cgroup", "0::/\n");
  EXPECT_EQ(Kills(), 4U);
}

TEST(HostMemory, OfThisHostIsThere) { EXPECT_GT(ReadHostMemory().total_bytes, 0U); }

}  // namespace
}  // namespace penstock::container
