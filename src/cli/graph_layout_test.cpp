#include "cli/graph_layout.h"

#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

auto Arranged(std::size_t boxes, const std::vector<std::pair<std::size_t, std::size_t>>& lines) -> Layout {
  Layout layout;
  layout.boxes.assign(boxes, {.width = 100, .height = 40});
  for (const auto& [from, to] : lines)
    layout.lines.push_back({.from = from, .to = to, .backwards = false, .points = {}});
  layout.gap = 50;
  Arrange(layout);
  return layout;
}

auto Overlap(const Box& a, const Box& b) -> bool {
  return a.at.x < b.at.x + b.width && b.at.x < a.at.x + a.width && a.at.y < b.at.y + b.height &&
         b.at.y < a.at.y + a.height;
}

TEST(GraphLayout, GoesFromLeftToRightWithoutOverlaps) {
  const auto layout = Arranged(6, {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {0, 3}, {3, 4}, {3, 5}});
  for (const auto& line : layout.lines) {
    EXPECT_FALSE(line.backwards);
    EXPECT_LT(layout.boxes[line.from].at.x, layout.boxes[line.to].at.x);
  }
  for (std::size_t i = 0; i < layout.boxes.size(); ++i) {
    EXPECT_LE(layout.boxes[i].at.x + layout.boxes[i].width, layout.width);
    EXPECT_LE(layout.boxes[i].at.y + layout.boxes[i].height, layout.height);
    for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(Overlap(layout.boxes[i], layout.boxes[j])) << i << ' ' << j;
  }
}

TEST(GraphLayout, TakesALineThatPassesAColumnBetweenItsBoxes) {
  const auto layout = Arranged(3, {{0, 1}, {1, 2}, {0, 2}});
  const auto& passing = layout.lines[2].points;
  ASSERT_EQ(passing.size(), 4U);
  const auto& box = layout.boxes[1];
  EXPECT_TRUE(passing[1].y < box.at.y || passing[1].y > box.at.y + box.height);
}

TEST(GraphLayout, DrawsACycleBackwards) {
  const auto layout = Arranged(3, {{0, 1}, {1, 2}, {2, 1}, {1, 1}});
  EXPECT_FALSE(layout.lines[1].backwards);
  EXPECT_TRUE(layout.lines[2].backwards);
  EXPECT_TRUE(layout.lines[3].backwards);
  EXPECT_GT(layout.lines[2].points.front().x, layout.lines[2].points.back().x);
}

TEST(GraphLayout, OfOneBoxIsThatBox) {
  const auto layout = Arranged(1, {});
  EXPECT_EQ(layout.width, 140);
  EXPECT_EQ(layout.height, 80);
}

}  // namespace
}  // namespace penstock::cli
