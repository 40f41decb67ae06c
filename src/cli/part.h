// A part of a pipeline alone, to find out what is wrong with it: `--only asr`, `--from vad`.
#pragma once

#include <string>
#include <vector>

#include "manifest/pipeline.h"

namespace penstock::cli {

struct PartOptions {
  std::vector<std::string> only{};    // these nodes
  std::vector<std::string> from{};    // these, and all that get something from them
  std::vector<std::string> inputs{};  // files, as for ApplyEnds
  std::string input_kind{};           // "audio", "text", "json" or "message"; empty: as the file's name says
};

/// Leaves out of `pipeline` what is not in the part. Where an edge is cut that leads in, a source of the file that
/// `inputs` has for it takes its place; where one is cut that leads out, a json.sink shows what is sent. The words of
/// `inputs` that were used for that are removed from it. The result is what was wrong, a sentence each.
auto TakePart(manifest::Pipeline& pipeline, PartOptions& options) -> std::vector<std::string>;

}  // namespace penstock::cli
