// The command line: words to options, options to verbs. The only file that knows CLI11.
#include <CLI/CLI.hpp>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>

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

  bool version_json = false;
  auto* version_verb = app.add_subcommand("version", "Show the versions of Penstock, its protocols and the engine");
  version_verb->add_flag("--json", version_json, "As JSON");

  bool ps_json = false;
  auto* ps_verb = app.add_subcommand("ps", "Show the sessions that run, and the containers that they use or left warm");
  ps_verb->add_flag("--json", ps_json, "As JSON");

  cli::StopOptions stop;
  auto* stop_verb = app.add_subcommand("stop", "End sessions: their sources' streams, then what is in flight");
  stop_verb->add_option("session", stop.session, "A session's id, or the beginning of it");
  stop_verb->add_flag("--all", stop.all, "All sessions of this user");
  stop_verb->add_flag("--now", stop.now, "At once, without handling what is in flight");
  stop_verb->add_option_function<double>(
      "--timeout", [&](double seconds) { stop.timeout = std::chrono::seconds(std::llround(seconds)); },
      "How long to wait for each, in seconds (30)");

  bool gc_warm = false;
  auto* gc_verb = app.add_subcommand("gc", "Remove what runtimes that died left behind");
  gc_verb->add_flag("--warm", gc_warm, "End containers that wait for a next session, too");

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
  if (version_verb->parsed()) return cli::Version(version_json);
  if (ps_verb->parsed()) return cli::Ps(ps_json);
  if (stop_verb->parsed()) return cli::Stop(stop);
  if (gc_verb->parsed()) return cli::Gc(gc_warm);
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
