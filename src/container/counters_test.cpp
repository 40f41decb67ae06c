#include "container/counters.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/uuid.h"
#include "container/evidence.h"

namespace penstock::container {
namespace {
namespace fs = std::filesystem;

using Files = std::map<std::string, std::string, std::less<>>;

auto Read(const Files& files) -> GroupFile {
  return [&files](std::string_view name) -> std::optional<std::string> {
    const auto found = files.find(name);
    if (found == files.end()) return std::nullopt;
    return found->second;
  };
}

const Files kV1{{"memory.limit_in_bytes", "134217728\n"},
                {"memory.usage_in_bytes", "12451840\n"},
                {"memory.max_usage_in_bytes", "134217728\n"},
                {"memory.failcnt", "12\n"},
                {"memory.memsw.failcnt", "300\n"},
                {"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"},
                {"cpu.stat", "nr_periods 120\nnr_throttled 90\nthrottled_time 4500000000\nnr_bursts 0\nburst_time 0\n"},
                {"cpuacct.usage", "1200345678\n"},
                {"pids.current", "12\n"},
                {"pids.max", "64\n"},
                {"pids.peak", "64\n"},
                {"pids.events", "max 3\n"}};

const Files kV2{{"memory.max", "134217728\n"},
                {"memory.current", "12451840\n"},
                {"memory.peak", "134217728\n"},
                {"memory.events", "low 0\nhigh 0\nmax 312\noom 2\noom_kill 1\noom_group_kill 0\n"},
                {"cpu.stat",
                 "usage_usec 1200345\nuser_usec 1000000\nsystem_usec 200345\nnr_periods 120\nnr_throttled 90\n"
                 "throttled_usec 4500000\n"},
                {"pids.current", "12\n"},
                {"pids.max", "64\n"},
                {"pids.events", "max 3\n"}};

TEST(Counters, OfVersion1) {
  const auto memory = ParseMemory(CgroupVersion::kV1, Read(kV1)).value();
  EXPECT_EQ(memory.limit_bytes, 134217728U);
  EXPECT_EQ(memory.usage_bytes, 12451840U);
  EXPECT_EQ(memory.peak_bytes, 134217728U);
  EXPECT_EQ(memory.limit_hits, 312U);
  EXPECT_EQ(memory.oom_kills, 1U);
  EXPECT_FALSE(memory.out_of_memory);
  EXPECT_TRUE(memory.ReachedLimit());
  const auto cpu = ParseCpu(CgroupVersion::kV1, Read(kV1)).value();
  EXPECT_EQ(cpu.usage_ns, 1200345678U);
  EXPECT_EQ(cpu.throttled_ns, 4500000000U);
  EXPECT_DOUBLE_EQ(cpu.ThrottledShare(), 0.75);
  const auto pids = ParsePids(Read(kV1)).value();
  EXPECT_EQ(pids.limit, 64U);
  EXPECT_EQ(pids.peak, 64U);
  EXPECT_EQ(pids.refused, 3U);
}

TEST(Counters, OfVersion2) {
  const auto memory = ParseMemory(CgroupVersion::kV2, Read(kV2)).value();
  EXPECT_EQ(memory.limit_bytes, 134217728U);
  EXPECT_EQ(memory.usage_bytes, 12451840U);
  EXPECT_EQ(memory.limit_hits, 312U);
  EXPECT_EQ(memory.oom_kills, 1U);
  EXPECT_EQ(memory.out_of_memory, 2U);
  EXPECT_TRUE(memory.ReachedLimit());
  const auto cpu = ParseCpu(CgroupVersion::kV2, Read(kV2)).value();
  EXPECT_EQ(cpu.usage_ns, 1200345000U);
  EXPECT_EQ(cpu.throttled_ns, 4500000000U);
  const auto pids = ParsePids(Read(kV2)).value();
  EXPECT_EQ(pids.current, 12U);
  EXPECT_FALSE(pids.peak);
}

TEST(Counters, OfAGroupWithoutLimitsHaveNone) {
  const auto v1 = ParseMemory(
      CgroupVersion::kV1, Read({{"memory.usage_in_bytes", "1\n"}, {"memory.limit_in_bytes", "9223372036854771712\n"}}));
  EXPECT_FALSE(v1.value().limit_bytes);
  const auto v2 = ParseMemory(CgroupVersion::kV2, Read({{"memory.current", "1\n"}, {"memory.max", "max\n"}}));
  EXPECT_FALSE(v2.value().limit_bytes);
  EXPECT_FALSE(ParsePids(Read({{"pids.current", "1\n"}, {"pids.max", "max\n"}})).value().limit);
}

TEST(Counters, ThatAreNotThereAreAbsent) {
  const Files none;
  EXPECT_FALSE(ParseMemory(CgroupVersion::kV1, Read(none)));
  EXPECT_FALSE(ParseMemory(CgroupVersion::kV2, Read(none)));
  EXPECT_FALSE(ParseCpu(CgroupVersion::kV1, Read(none)));
  EXPECT_FALSE(ParseCpu(CgroupVersion::kV2, Read({{"cpu.stat", "usage_usec 5\n"}})));  // the root group has no periods
  EXPECT_FALSE(ParsePids(Read(none)));
  EXPECT_FALSE(ParseMemory(CgroupVersion::kV2, Read({{"memory.current", "many\n"}})));
}

TEST(Counters, TellAKillAtTheOwnLimitFromOneForTheHostsSake) {
  MemoryCounters below{.limit_bytes = 1U << 30U, .peak_bytes = 200U << 20U, .limit_hits = 0, .oom_kills = 1};
  EXPECT_FALSE(below.ReachedLimit());
  below.out_of_memory = 0;
  below.peak_bytes = 1U << 30U;  // cached files may fill a group to its limit without harm
  below.limit_hits = 10;
  EXPECT_FALSE(below.ReachedLimit());
}

// Half a second of CPU time in a quarter of a second.
TEST(Counters, TellCoresInUseFromTwoReadings) {
  constexpr std::chrono::milliseconds kElapsed{250};
  auto later = kV1;
  later.at("cpuacct.usage") = "1700345678\n";
  const auto v1 = ParseCpu(CgroupVersion::kV1, Read(kV1)).value();
  EXPECT_DOUBLE_EQ(ParseCpu(CgroupVersion::kV1, Read(later)).value().CoresSince(v1, kElapsed), 2.0);
  later = kV2;
  later.at("cpu.stat") = "usage_usec 1700345\nnr_periods 125\n";
  const auto v2 = ParseCpu(CgroupVersion::kV2, Read(kV2)).value();
  EXPECT_DOUBLE_EQ(ParseCpu(CgroupVersion::kV2, Read(later)).value().CoresSince(v2, kElapsed), 2.0);
  EXPECT_EQ(v2.CoresSince(v2, {}), 0);
  CpuCounters restarted;
  EXPECT_EQ(restarted.CoresSince(v2, kElapsed), 0);
}

TEST(Counters, SinceABaselineLeaveOutWhatWasBefore) {
  Counters before;
  before.memory = ParseMemory(CgroupVersion::kV2, Read(kV2));
  before.cpu = ParseCpu(CgroupVersion::kV2, Read(kV2));
  before.pids = ParsePids(Read(kV2));
  auto now = before;
  now.memory->oom_kills += 2;
  now.cpu->throttled += 10;
  const auto since = now.Since(before);
  EXPECT_EQ(since.memory->oom_kills, 2U);
  EXPECT_EQ(since.memory->out_of_memory, 0U);
  EXPECT_EQ(since.memory->peak_bytes, 134217728U);
  EXPECT_EQ(since.cpu->throttled, 10U);
  EXPECT_EQ(since.cpu->periods, 0U);
  EXPECT_EQ(since.pids->refused, 0U);
  EXPECT_EQ(since.pids->limit, 64U);
}

/// A tree like /sys/fs/cgroup.
class CgroupTree : public testing::Test {
 protected:
  CgroupTree() : root_(fs::temp_directory_path() / ("penstock-cgroup-" + base::NewUuidV7().substr(24))) {}
  ~CgroupTree() override { fs::remove_all(root_); }

  void Write(const fs::path& group, const Files& files, std::string_view prefix) const {
    fs::create_directories(root_ / group);
    for (const auto& [name, text] : files) {
      if (name.starts_with(prefix)) std::ofstream(root_ / group / name) << text;
    }
  }

  fs::path root_;
};

TEST_F(CgroupTree, OfVersion1HasOneGroupAController) {
  for (const auto* controller : {"memory", "cpu", "cpuacct", "pids"})
    Write(fs::path(controller) / "docker/abc", kV1, std::string(controller) + ".");
  fs::create_directories(root_ / "unified/docker/abc");
  const auto counters = Cgroup::Of("abc", root_).value().Read().value();
  EXPECT_EQ(counters.memory.value().limit_hits, 312U);
  EXPECT_EQ(counters.cpu.value().usage_ns, 1200345678U);
  EXPECT_EQ(counters.pids.value().refused, 3U);
}

TEST_F(CgroupTree, OfVersion2IsFoundUnderTheNamesOfBothDrivers) {
  Write("system.slice/docker-abc.scope", kV2, "");
  Write("docker/def", kV2, "");
  EXPECT_EQ(Cgroup::Of("abc", root_).value().Read().value().memory.value().out_of_memory, 2U);
  EXPECT_EQ(Cgroup::Of("def", root_).value().Read().value().cpu.value().throttled, 90U);
}

TEST_F(CgroupTree, ThatLacksTheContainerGivesNothing) {
  EXPECT_FALSE(Cgroup::Of("abc", root_));
  Write("docker/abc", kV2, "");
  const auto group = Cgroup::Of("abc", root_).value();
  fs::remove_all(root_ / "docker/abc");
  EXPECT_FALSE(group.Read());
}

}  // namespace
}  // namespace penstock::container
