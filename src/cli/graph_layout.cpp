#include "cli/graph_layout.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace penstock::cli {
namespace {

constexpr double kMargin = 20;
constexpr double kRowGap = 24;
constexpr double kLaneHeight = 16;     // of a line that passes through a column
constexpr double kBackwardsShift = 8;  // else a cycle of two would be one line
constexpr int kRounds = 8;             // of sorting, more do not make a visible difference

/// A box, or the place where a line passes through a column.
struct Stop {
  std::size_t column = 0;
  double width = 0;
  double height = kLaneHeight;
  Point at{};
  std::vector<std::size_t> before{};  // stops in the column to the left that it is joined to
  std::vector<std::size_t> after{};
};

class Arrangement final {
 public:
  explicit Arrangement(Layout& layout) : layout_(layout), stops_(layout.boxes.size()) {
    for (std::size_t i = 0; i < stops_.size(); ++i) {
      stops_[i].width = layout.boxes[i].width;
      stops_[i].height = layout.boxes[i].height;
    }
  }

  void Run() {
    FindCycles();
    ChooseColumns();
    MakeWays();
    SortColumns();
    PlaceStops();
    DrawLines();
  }

 private:
  enum class Visit { kNot, kBegun, kDone };

  // A line that leads to a box whose lines are still being followed closes a cycle: it goes backwards.
  void FindCycles() {
    std::vector<Visit> visits(stops_.size(), Visit::kNot);
    for (std::size_t i = 0; i < stops_.size(); ++i) Follow(i, visits);
  }

  void Follow(std::size_t box, std::vector<Visit>& visits) {
    if (visits[box] != Visit::kNot) return;
    visits[box] = Visit::kBegun;
    for (auto& line : layout_.lines) {
      if (line.from != box) continue;
      line.backwards = visits[line.to] == Visit::kBegun;
      if (!line.backwards) Follow(line.to, visits);
    }
    visits[box] = Visit::kDone;
  }

  // As far to the right as its longest way from a source.
  void ChooseColumns() {
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& line : layout_.lines) {
        if (line.backwards || stops_[line.to].column > stops_[line.from].column) continue;
        stops_[line.to].column = stops_[line.from].column + 1;
        changed = true;
      }
    }
  }

  // Every line from its left end to its right end, with a stop in each column between.
  void MakeWays() {
    for (const auto& line : layout_.lines) {
      const auto left = line.backwards ? line.to : line.from;
      const auto right = line.backwards ? line.from : line.to;
      std::vector<std::size_t> way{left};
      for (auto column = stops_[left].column + 1; column < stops_[right].column; ++column) {
        way.push_back(stops_.size());
        stops_.push_back({.column = column});
      }
      if (left != right) way.push_back(right);
      for (std::size_t i = 1; i < way.size(); ++i) {
        stops_[way[i - 1]].after.push_back(way[i]);
        stops_[way[i]].before.push_back(way[i - 1]);
      }
      ways_.push_back(std::move(way));
    }
    for (std::size_t i = 0; i < stops_.size(); ++i) {
      columns_.resize(std::max(columns_.size(), stops_[i].column + 1));
      columns_[stops_[i].column].push_back(i);
    }
  }

  // Each stop goes where its neighbours are on average, looking left and right in turn.
  void SortColumns() {
    std::vector<double> rank(stops_.size());
    const auto renumber = [&] {
      for (const auto& column : columns_) {
        for (std::size_t row = 0; row < column.size(); ++row) rank[column[row]] = static_cast<double>(row);
      }
    };
    renumber();
    for (int round = 0; round < kRounds; ++round) {
      for (auto& column : columns_) {
        std::map<std::size_t, double> wish;
        for (const auto stop : column) {
          const auto& others = round % 2 == 0 ? stops_[stop].before : stops_[stop].after;
          const auto sum = std::accumulate(others.begin(), others.end(), 0.0,
                                           [&](double total, std::size_t other) { return total + rank[other]; });
          wish[stop] = others.empty() ? rank[stop] : sum / static_cast<double>(others.size());
        }
        std::ranges::stable_sort(column, {}, [&](std::size_t stop) { return wish[stop]; });
      }
      renumber();
    }
  }

  void PlaceStops() {
    const auto height_of = [&](const std::vector<std::size_t>& column) {
      return std::accumulate(column.begin(), column.end(), -kRowGap,
                             [&](double sum, std::size_t stop) { return sum + stops_[stop].height + kRowGap; });
    };
    double highest = 0;
    for (const auto& column : columns_) highest = std::max(highest, height_of(column));
    double x = kMargin;
    for (const auto& column : columns_) {
      double width = 0;
      for (const auto stop : column) width = std::max(width, stops_[stop].width);
      double y = kMargin + (highest - height_of(column)) / 2;
      for (const auto stop : column) {
        stops_[stop].at = {.x = x, .y = y};
        if (stop >= layout_.boxes.size()) stops_[stop].width = width;
        y += stops_[stop].height + kRowGap;
      }
      x += width + layout_.gap;
    }
    for (std::size_t i = 0; i < layout_.boxes.size(); ++i) layout_.boxes[i].at = stops_[i].at;
    layout_.width = x - layout_.gap + kMargin;
    layout_.height = highest + 2 * kMargin;
  }

  auto Left(std::size_t stop) const -> Point {
    return {.x = stops_[stop].at.x, .y = stops_[stop].at.y + stops_[stop].height / 2};
  }
  auto Right(std::size_t stop) const -> Point {
    return {.x = stops_[stop].at.x + stops_[stop].width, .y = Left(stop).y};
  }

  void DrawLines() {
    for (std::size_t i = 0; i < ways_.size(); ++i) {
      const auto& way = ways_[i];
      auto& points = layout_.lines[i].points;
      points.push_back(Right(way.front()));
      for (std::size_t step = 1; step + 1 < way.size(); ++step) {
        points.push_back(Left(way[step]));
        points.push_back(Right(way[step]));
      }
      points.push_back(Left(way.back()));
      if (!layout_.lines[i].backwards) continue;
      std::ranges::reverse(points);
      for (auto& point : points) point.y += kBackwardsShift;
    }
  }

  Layout& layout_;
  std::vector<Stop> stops_;
  std::vector<std::vector<std::size_t>> columns_;
  std::vector<std::vector<std::size_t>> ways_;
};

}  // namespace

void Arrange(Layout& layout) { Arrangement(layout).Run(); }

}  // namespace penstock::cli
