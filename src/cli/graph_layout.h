// Where the boxes and lines of a graph go: columns from sources to sinks, few crossings, no line through a box.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace penstock::cli {

struct Point {
  double x = 0;
  double y = 0;
};

struct Box {
  double width = 0;
  double height = 0;
  Point at{};  // its upper left corner, set by the layout
};

struct Line {
  std::size_t from = 0;  // indices of boxes
  std::size_t to = 0;
  bool backwards = false;     // against the columns' direction: part of a cycle
  std::vector<Point> points;  // set by the layout: from the one box's right side to the other's left, between columns
};

struct Layout {
  std::vector<Box> boxes;
  std::vector<Line> lines;
  double gap = 0;  // between columns; the lines bend there
  double width = 0;
  double height = 0;
};

/// Sets places, points and the whole size. `width` and `height` of the boxes, `from` and `to` of the lines and `gap`
/// are given.
void Arrange(Layout& layout);

}  // namespace penstock::cli
