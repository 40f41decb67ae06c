#include "session/fault_dump.h"

#include <gtest/gtest.h>

namespace penstock::session {
namespace {

TEST(FaultDump, IsWhatFollowsTheFatalError) {
  FaultDump dump;
  dump.Add("a line of the node's");
  dump.Add("Fatal Python error: Segmentation fault");
  dump.Add("");
  dump.Add("Current thread 0x1 (most recent call first):");
  dump.Add("  File \"nodes.py\", line 3 in process");
  EXPECT_EQ(dump.text(),
            "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n"
            "  File \"nodes.py\", line 3 in process\n");
}

TEST(FaultDump, OfANodeThatPrintsOtherThingsIsEmpty) {
  FaultDump dump;
  dump.Add("not a Fatal Python error: it is quoted");
  EXPECT_EQ(dump.text(), "");
}

TEST(FaultDump, IsBounded) {
  FaultDump dump;
  dump.Add("Fatal Python error: Aborted");
  for (int i = 0; i < 10000; ++i) dump.Add("  File \"nodes.py\", line 3 in process");
  EXPECT_LE(dump.text().size(), 16U * 1024);
  EXPECT_TRUE(dump.text().starts_with("Fatal Python error: Aborted\n"));
}

}  // namespace
}  // namespace penstock::session
