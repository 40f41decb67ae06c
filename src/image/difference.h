// What makes one environment another than those that are there: the answer to "why is this built again?"
#pragma once

#include <string>
#include <vector>

#include "image/index.h"

namespace penstock::image {

/// One line for each thing that differs, as a step from `there` to `wanted`: "+ Python package six==1.17.0".
auto Differences(const Contents& there, const Contents& wanted) -> std::vector<std::string>;

/// The available entry with the fewest differences to `wanted`, the one used last among equals; null when there is
/// none.
auto Nearest(const std::vector<Entry>& entries, const Contents& wanted) -> const Entry*;

}  // namespace penstock::image
