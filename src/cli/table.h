// Rows in columns, for people.
#pragma once

#include <string>
#include <vector>

namespace penstock::cli {

using Row = std::vector<std::string>;

/// Left-aligned, two blanks between columns, one line a row. All rows have as many cells as the first.
auto RenderTable(const std::vector<Row>& rows) -> std::string;

}  // namespace penstock::cli
