// Files at the ends of a pipeline that the command line names: `--input talk.wav`, `--output -`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "manifest/pipeline.h"

namespace penstock::cli {

/// "NODE=FILE", "NODE.PORT=FILE", or "FILE".
struct EndWord {
  std::string node;  // empty: the only one that there is
  std::string port;  // empty: any
  std::string file;
  std::string text;  // as written
};
/// What stands before an equals sign is a node if one of `pipeline` is called so, or if no file has the whole name.
auto ParseEnd(const std::string& text, const manifest::Pipeline& pipeline) -> EndWord;

/// How a worker of this host opens `file`: relative to the current directory, "-" is this process's standard input.
/// Errors: kNotFound, and others of files that cannot be read.
auto OpenableInput(const std::string& file) -> base::Expected<std::string>;
/// Likewise for writing: "-" is empty, which sinks take for standard output.
auto OpenableOutput(const std::string& file) -> base::Expected<std::string>;

/// The parameter by which a node of this type is told what file it reads, or writes; absent: it has none.
auto InputParam(std::string_view node_type) -> std::optional<std::string>;
auto OutputParam(std::string_view node_type) -> std::optional<std::string>;

/// Gives the files to the nodes. The result is what was wrong, a sentence each.
auto ApplyEnds(manifest::Pipeline& pipeline, const std::vector<std::string>& inputs,
               const std::vector<std::string>& outputs) -> std::vector<std::string>;

}  // namespace penstock::cli
