#include "container/host_memory.h"

#include <gtest/gtest.h>

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

TEST(HostMemory, OfThisHostIsThere) { EXPECT_GT(ReadHostMemory().total_bytes, 0U); }

}  // namespace
}  // namespace penstock::container
