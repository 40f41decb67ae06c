// A single value outside of a manifest, typed as one inside: for the command line.
#pragma once

#include <string_view>

#include "base/error.h"
#include "manifest/pipeline.h"

namespace penstock::manifest {

/// `3`, `true`, `[1, 2]`, `{rate: 16000}`, text: what YAML (or JSON) makes of it, by the rules for manifests. Nothing
/// is null. Errors: kInvalidArgument with what is wrong, as the rest of a sentence about the value.
auto ParseValueText(std::string_view text) -> base::Expected<Json>;

}  // namespace penstock::manifest
