// The words of the verbs that take a pipeline.
#pragma once

#include "cli/verbs.h"

namespace CLI {
class App;
}  // namespace CLI

namespace penstock::cli {

/// The manifest, and what every verb that plans it may be told. `options` outlives the parse, as in all of these.
void AddPipelineOptions(CLI::App& verb, PipelineOptions& options);
void AddSettings(CLI::App& verb, PipelineOptions& options);
/// A part of the pipeline alone, and files for its ends.
void AddPart(CLI::App& verb, PipelineOptions& options);
void AddOvercommit(CLI::App& verb, PipelineOptions& options);
void AddRetry(CLI::App& verb, PipelineOptions& options);

/// Of a verb that makes environments.
void AddBuild(CLI::App& verb, BuildOptions& options);

/// A verb with all of its words.
auto AddRun(CLI::App& app, RunOptions& options) -> CLI::App*;
auto AddGraph(CLI::App& app, GraphOptions& options) -> CLI::App*;

}  // namespace penstock::cli
