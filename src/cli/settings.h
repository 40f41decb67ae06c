// Parameters of nodes that the command line sets: `--set asr.model=small`.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "manifest/pipeline.h"

namespace penstock::cli {

/// What was wrong with the settings, or is suspicious about them.
struct SettingRemarks {
  std::vector<std::string> errors;    // a sentence each; with any, the pipeline is not to be run
  std::vector<std::string> warnings;  // likewise
};

/// Puts each of `settings` ("NODE.PARAM=VALUE") into the parameters of its node, over what the manifest has. PARAM may
/// go on with dots into mappings; VALUE is typed as in a manifest. Later ones win.
auto ApplySettings(manifest::Pipeline& pipeline, const std::vector<std::string>& settings) -> SettingRemarks;

}  // namespace penstock::cli
