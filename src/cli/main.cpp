// The command line: words to options, options to verbs. Only this file and *_words.cpp know CLI11.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/standard_streams.h"
#include "cli/help_words.h"
#include "cli/host_words.h"
#include "cli/images_words.h"
#include "cli/leftovers.h"
#include "cli/mistakes_words.h"
#include "cli/pipeline_words.h"
#include "cli/quarantine_words.h"
#include "cli/verbs.h"
#include "cli/words.h"

namespace {

void AddLogsOptions(CLI::App& verb, penstock::cli::LogsOptions& options) {
  verb.add_option("session", options.session, "The session's id or its beginning (default: the newest session)");
  verb.add_flag("-f,--follow", options.follow, "Go on with what is added, until the session ends");
  verb.add_option("--node", options.nodes, "Only lines of this node; several times for several")->type_name("NODE");
  verb.add_option("--since", options.since,
                  "Only what is younger (10m, 2h, 7d), or later than a time (2026-01-31T08:15)")
      ->type_name("DURATION|TIME");
  verb.add_option("--level", options.level, "Only this level and above; what a node writes to stderr is a warning")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}).description(""))
      ->type_name("debug|info|warning|error");
  verb.add_option("--grep", options.grep, "Only messages that match this regular expression (POSIX extended)")
      ->type_name("RE");
  verb.add_flag("--json", options.json, "As JSON lines, as they are stored");
}

// Empty: it is good.
auto PythonOrPath(const std::string& python) -> std::string {
  constexpr std::array<std::string_view, 5> kVersions{"3.9", "3.10", "3.11", "3.12", "3.13"};
  if (python.starts_with('/') || std::ranges::find(kVersions, python) != kVersions.end()) return {};
  return fmt::format("{} is neither one of {} nor an absolute path in the image", python, fmt::join(kVersions, ", "));
}

auto ComplainOfVerb(const char* typed, const std::vector<std::string>& verbs) -> int {
  const auto nearest = penstock::cli::Nearest(typed, verbs);
  const auto advice = nearest ? "did you mean 'penstock " + *nearest + "'?" : "'penstock --help' lists what there is";
  std::fprintf(stderr, "penstock: error: there is no verb '%s'; %s\n", typed, advice.c_str());
  return penstock::cli::kUsage;
}

auto Main(int argc, char** argv) -> int {
  namespace cli = penstock::cli;
  CLI::App app(
      "Runs pipelines of nodes, each in its own container with its own Python and hard limits, over shared memory.",
      "penstock");
  app.formatter(cli::HelpFormatter());
  app.require_subcommand(1);
  app.footer(
      "Examples:\n  penstock run pipeline.yaml\n  penstock run pipeline.yaml --placement process\n  penstock plan "
      "pipeline.yaml --json\n\n"
      "Exit codes: 0 done, 1 the pipeline failed, 2 usage or manifest, 3 environment (engine, image, host), 4 "
      "messages lost (with --strict-loss), 130 "
      "interrupted (Ctrl-C, SIGTERM, SIGHUP, penstock stop).");
  app.set_version_flag("--version", PENSTOCK_VERSION);

  cli::RunOptions run;
  auto* run_verb = cli::AddRun(app, run);

  cli::LogsOptions logs;
  auto* logs_verb = app.add_subcommand("logs", "Show what a session's nodes and its runtime have written");
  AddLogsOptions(*logs_verb, logs);

  cli::ValidateOptions validate;
  auto* validate_verb = app.add_subcommand("validate", "Check manifests and report everything that is wrong with them");
  validate_verb->add_option("manifest", validate.manifests, "Manifests")->required();
  validate_verb->add_flag("-q,--quiet", validate.quiet, "Only what is wrong, and warnings");
  validate_verb->add_flag("--json", validate.json, "As JSON, with the errors");

  cli::PlanOptions plan;
  auto* plan_verb = app.add_subcommand("plan", "Show what run would build, start, hand over and allow");
  cli::AddPipelineOptions(*plan_verb, plan.pipeline);
  cli::AddPart(*plan_verb, plan.pipeline);
  cli::AddSettings(*plan_verb, plan.pipeline);
  cli::AddOvercommit(*plan_verb, plan.pipeline);
  plan_verb->add_flag("--json", plan.json, "As JSON");

  cli::GraphOptions graph;
  auto* graph_verb = cli::AddGraph(app, graph);

  cli::BuildOptions build;
  auto* build_verb = app.add_subcommand("build", "Make the environments that a pipeline needs, and do not run it");
  cli::AddBuild(*build_verb, build);
  cli::AddRetry(*build_verb, build.pipeline);

  cli::BuildOptions lock;
  auto* lock_verb = app.add_subcommand(
      "lock", "Write the exact packages of a pipeline's environments, with hashes, beside its manifest");
  cli::AddBuild(*lock_verb, lock);

  cli::CheckImageOptions check;
  auto* check_verb = app.add_subcommand("check-image", "Check that nodes can run in an image, and say what to change");
  check_verb->add_option("image", check.image, "The image's name or id")->required();
  check_verb
      ->add_option_function<std::string>(
          "--python",
          [&](const std::string& python) { (python.starts_with('/') ? check.interpreter : check.python) = python; },
          "The version that it must have (default: the one that it has), or the interpreter in it that is to be "
          "checked (default: the one that nodes use)")
      ->check(PythonOrPath)
      ->type_name("3.X|PATH");
  check_verb->add_flag("--json", check.json, "As JSON");

  cli::HostWords host(app);
  cli::ImagesWords images(app);
  cli::QuarantineWords quarantine(app);

  auto* schema_verb = app.add_subcommand("schema", "Print the JSON Schema of manifests, for editors and other tools");

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
  stop_verb->add_flag("-q,--quiet", stop.quiet, "Only errors");
  stop_verb->add_flag("--json", stop.json, "As JSON");

  cli::GcOptions gc;
  auto* gc_verb = app.add_subcommand("gc", "Remove what runtimes that died left behind");
  gc_verb->add_flag("--warm", gc.warm, "End containers that wait for a next session, too");
  gc_verb->add_flag("-q,--quiet", gc.quiet, "Only errors");
  gc_verb->add_flag("--json", gc.json, "As JSON");

  cli::AddExamples(app);
  app.failure_message(
      [](const CLI::App* failed, const CLI::Error& error) { return cli::ExplainMistake(*failed, error); });
  if (argc > 1 && argv[1][0] != '-') {
    const auto verbs = cli::VerbNames(app);
    if (std::ranges::find(verbs, argv[1]) == verbs.end()) return ComplainOfVerb(argv[1], verbs);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::kDone : cli::kUsage;
  }

  if (host.parsed()) return host.Run();  // looks at what follows, and must not remove it before
  if (logs_verb->parsed()) return cli::Logs(logs);
  if (schema_verb->parsed()) return cli::Schema();
  if (gc_verb->parsed()) return cli::Gc(gc);  // does what follows itself, and counts it
  cli::RemoveLeftovers();
  if (run_verb->parsed()) return cli::Run(run);
  if (validate_verb->parsed()) return cli::Validate(validate);
  if (plan_verb->parsed()) return cli::Plan(plan);
  if (graph_verb->parsed()) return cli::Graph(graph);
  if (build_verb->parsed()) return cli::Build(build);
  if (lock_verb->parsed()) return cli::Lock(lock);
  if (check_verb->parsed()) return cli::CheckImage(check);
  if (images.parsed()) return images.Run();
  if (quarantine.parsed()) return quarantine.Run();
  if (version_verb->parsed()) return cli::Version(version_json);
  if (ps_verb->parsed()) return cli::Ps(ps_json);
  if (stop_verb->parsed()) return cli::Stop(stop);
  return cli::kUsage;
}

// What could not be written to stdout makes an error of success, unless nobody reads it any more.
auto WithOutput(int code, int problem) -> int {
  if (problem == 0 || problem == EPIPE) return code;
  const auto written = penstock::base::SystemError("write to stdout", problem);
  std::fprintf(stderr, "penstock: error: %s\n", written.value().ToString().c_str());
  return code == penstock::cli::kDone ? penstock::cli::kEnvironment : code;
}

auto FlushOutput() -> int { return std::fflush(stdout) == 0 ? 0 : errno; }

}  // namespace

auto main(int argc, char** argv) -> int {
  if (!penstock::base::OpenClosedStandardStreams()) return penstock::cli::kEnvironment;  // nobody to tell
  ::signal(SIGPIPE, SIG_IGN);  // a reader that has enough ends the output, not the containers' removal
  try {
    const int code = Main(argc, argv);
    return WithOutput(code, FlushOutput());
  } catch (const std::system_error& error) {
    if (std::ferror(stdout) != 0) return WithOutput(penstock::cli::kDone, error.code().value());
    std::fprintf(stderr, "penstock: internal error: %s\n", error.what());
    return penstock::cli::kEnvironment;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "penstock: internal error: %s\n", error.what());
    return penstock::cli::kEnvironment;
  }
}
