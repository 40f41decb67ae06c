// Rows in columns, for people.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

using Row = std::vector<std::string>;

/// Left-aligned, two blanks between columns, one line a row. All rows have as many cells as the first.
/// Where that takes more than `width` (0: no bound), the widest columns are cut, which an ellipsis shows.
auto RenderTable(const std::vector<Row>& rows, std::size_t width = 0) -> std::string;

/// Columns that the text takes, which are not its bytes.
auto DisplayWidth(std::string_view text) -> std::size_t;

/// Columns of the terminal that stdout is; 0: it is none, and what reads it wants whole cells.
auto OutputWidth() -> std::size_t;

}  // namespace penstock::cli
