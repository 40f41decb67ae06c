#include "cli/json_output.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace penstock::cli {

auto JsonText(const nlohmann::json& value) -> std::string {
  return value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

void PrintJson(const nlohmann::json& value) { fmt::print("{}\n", JsonText(value)); }

}  // namespace penstock::cli
