#include "manifest/schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/verbs.h"

namespace penstock::cli {

auto Schema() -> int {
  PrintJson(manifest::ManifestSchema());
  return kDone;
}

}  // namespace penstock::cli
