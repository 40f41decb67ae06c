// The command line: words to options, options to verbs. Only this file and *_words.cpp know CLI11.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>

#include "cli/images_words.h"
#include "cli/leftovers.h"
#include "cli/verbs.h"

namespace {

using penstock::plan::PlacementOverride;

void AddPipelineOptions(CLI::App& verb, penstock::cli::PipelineOptions& options) {
  verb.add_option("manifest", options.manifest,
                  "The pipeline's manifest (YAML or JSON), or a directory with a pipeline.yaml")
      ->required();
  static const std::map<std::string, PlacementOverride> kPlacements{{"declared", PlacementOverride::kAsDeclared},
                                                                    {"process", PlacementOverride::kProcess}};
  verb.add_option("--placement", options.placement,
                  "declared: as the manifest says; process: container nodes run on the host, in virtual environments "
                  "with the same packages")
      ->transform(CLI::CheckedTransformer(kPlacements, CLI::ignore_case).description(""))
      ->type_name("declared|process");
}

void AddRetry(CLI::App& verb, penstock::cli::PipelineOptions& options) {
  verb.add_flag("--retry", options.retry, "Build again what failed before, although nothing has changed since");
}

auto Main(int argc, char** argv) -> int {
  namespace cli = penstock::cli;
  CLI::App app(
      "Runs pipelines of nodes, each in its own container with its own Python and hard limits, over shared memory.",
      "penstock");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n  penstock run pipeline.yaml\n  penstock run pipeline.yaml --placement process\n  penstock plan "
      "pipeline.yaml --json\n\n"
      "Exit codes: 0 done, 1 the pipeline failed, 2 usage or manifest, 3 environment (engine, image, host), 130 "
      "interrupted.");
  app.set_version_flag("--version", PENSTOCK_VERSION);

  cli::RunOptions run;
  auto* run_verb = app.add_subcommand("run", "Run a pipeline to the end of its streams");
  AddPipelineOptions(*run_verb, run.pipeline);
  AddRetry(*run_verb, run.pipeline);
  run_verb->add_flag("--realtime", run.realtime, "Pace media sources by media time");
  run_verb->add_flag("-q,--quiet", run.quiet, "No progress and no summary");
  run_verb->add_flag("--measure-cpu", run.measure_cpu, "Measure the CPU time per message that is not the nodes' own");
  run_verb->add_option("--report", run.report_file, "Write what happened to this file, as JSON")->type_name("FILE");

  std::vector<std::string> manifests;
  auto* validate_verb = app.add_subcommand("validate", "Check manifests and report everything that is wrong with them");
  validate_verb->add_option("manifest", manifests, "Manifests")->required();

  cli::PlanOptions plan;
  auto* plan_verb = app.add_subcommand("plan", "Show what run would build, start, hand over and allow");
  AddPipelineOptions(*plan_verb, plan.pipeline);
  plan_verb->add_flag("--json", plan.json, "As JSON");

  cli::PipelineOptions build;
  auto* build_verb = app.add_subcommand("build", "Make the environments that a pipeline needs, and do not run it");
  AddPipelineOptions(*build_verb, build);
  AddRetry(*build_verb, build);

  cli::PipelineOptions lock;
  auto* lock_verb = app.add_subcommand(
      "lock", "Write the exact packages of a pipeline's environments, with hashes, beside its manifest");
  AddPipelineOptions(*lock_verb, lock);

  cli::ImagesWords images(app);

  bool version_json = false;
  auto* version_verb = app.add_subcommand("version", "Show the versions of Penstock, its protocols and the engine");
  version_verb->add_flag("--json", version_json, "As JSON");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::kDone : cli::kUsage;
  }

  cli::RemoveLeftovers();
  if (run_verb->parsed()) return cli::Run(run);
  if (validate_verb->parsed()) return cli::Validate(manifests);
  if (plan_verb->parsed()) return cli::Plan(plan);
  if (build_verb->parsed()) return cli::Build(build);
  if (lock_verb->parsed()) return cli::Lock(lock);
  if (images.parsed()) return images.Run();
  if (version_verb->parsed()) return cli::Version(version_json);
  return cli::kUsage;
}

}  // namespace

auto main(int argc, char** argv) -> int {
  ::signal(SIGPIPE, SIG_IGN);  // a reader that has enough ends the output, not the containers' removal
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "penstock: internal error: %s\n", error.what());
    return penstock::cli::kEnvironment;
  }
}
