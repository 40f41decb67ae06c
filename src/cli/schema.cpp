#include "manifest/schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/verbs.h"

namespace penstock::cli {

auto Schema() -> int {
  fmt::print("{}\n", manifest::ManifestSchema().dump(2));
  return kDone;
}

}  // namespace penstock::cli
