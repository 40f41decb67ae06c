#include "cli/pipeline_words.h"

#include <CLI/CLI.hpp>
#include <map>

namespace penstock::cli {
namespace {

using plan::PlacementOverride;

void AddLogLimits(CLI::App& verb, observe::LogLimits& limits) {
  static const CLI::AsSizeValue kBytes(false);
  verb.add_option("--log-file-size", limits.files.bytes, "Size at which the session's log goes on in the next file")
      ->transform(kBytes)
      ->check(CLI::Range(std::uint64_t{64} << 10U, std::uint64_t{1} << 40U).description(""))
      ->envname("PENSTOCK_LOG_FILE_SIZE")
      ->type_name("SIZE")
      ->default_str("16MiB");
  verb.add_option("--log-files", limits.files.count, "Files of the session's log that are kept, the newest")
      ->check(CLI::Range(2U, 1000U).description(""))
      ->envname("PENSTOCK_LOG_FILES")
      ->capture_default_str();
  verb.add_option("--log-sessions", limits.sessions.count, "Sessions whose logs are kept, the newest")
      ->check(CLI::Range(1U, 1'000'000U).description(""))
      ->envname("PENSTOCK_LOG_SESSIONS")
      ->capture_default_str();
}

void AddQuarantineLimit(CLI::App& verb, std::uint64_t& bytes) {
  static const CLI::AsSizeValue kBytes(false);
  verb.add_option("--quarantine-size", bytes, "What all messages in quarantine may take of the disk")
      ->transform(kBytes)
      ->check(CLI::Range(std::uint64_t{64} << 10U, std::uint64_t{1} << 40U).description(""))
      ->envname("PENSTOCK_QUARANTINE_SIZE")
      ->type_name("SIZE")
      ->default_str("1GiB");
}

}  // namespace

void AddPipelineOptions(CLI::App& verb, PipelineOptions& options) {
  verb.add_option("manifest", options.manifest,
                  "The pipeline's manifest (YAML or JSON), or a directory with a pipeline.yaml")
      ->required();
  static const std::map<std::string, PlacementOverride> kPlacements{{"declared", PlacementOverride::kAsDeclared},
                                                                    {"process", PlacementOverride::kProcess}};
  verb.add_option_function<std::string>(
          "--placement", [&options](const std::string& word) { options.placement = kPlacements.at(word); },
          "declared: as the manifest says; process: container nodes run on the host, in virtual environments "
          "with the same packages")
      ->check(CLI::IsMember({"declared", "process"}).description(""))
      ->type_name("declared|process");
}

void AddSettings(CLI::App& verb, PipelineOptions& options) {
  verb.add_option(
          "--set", options.settings,
          "Set a parameter of a node, over what the manifest says: VALUE is typed as YAML, PARAM may go on with "
          "dots into mappings; several times for several")
      ->type_name("NODE.PARAM=VALUE")
      ->allow_extra_args(false);
}

void AddPart(CLI::App& verb, PipelineOptions& options) {
  auto& part = options.part;
  verb.add_option_function<std::string>(
      "input", [&part](const std::string& file) { part.inputs.push_back(file); },
      "As --input: the file to read, - for standard input");
  verb.add_option_function<std::vector<std::string>>(
          "--input",
          [&part](const std::vector<std::string>& files) {
            part.inputs.insert(part.inputs.end(), files.begin(), files.end());
          },
          "The file that the native source NODE reads, - for standard input; NODE where there are several")
      ->type_name("[NODE=]FILE")
      ->allow_extra_args(false);
  verb.add_option("--output", options.outputs,
                  "The file that the native sink NODE writes, - for standard output; NODE where there are several")
      ->type_name("[NODE=]FILE")
      ->allow_extra_args(false);
  auto* only = verb.add_option("--only", part.only,
                               "Only this node, several times for several: what it gets from others comes from "
                               "--input, and what it sends to others is shown as JSON lines")
                   ->type_name("NODE")
                   ->allow_extra_args(false);
  verb.add_option("--from", part.from, "Only this node and all behind it, with its input from --input")
      ->type_name("NODE")
      ->allow_extra_args(false)
      ->excludes(only);
  verb.add_option("--input-as", part.input_kind,
                  "What --input is for a node of --only or --from (default: as the file's name says; standard input is "
                  "text, a message a line)")
      ->check(CLI::IsMember({"audio", "text", "json", "message"}).description(""))
      ->type_name("audio|text|json|message");
}

void AddOvercommit(CLI::App& verb, PipelineOptions& options) {
  verb.add_flag("--overcommit", options.overcommit,
                "Promise the containers their memory although running sessions hold too much of it");
}

void AddRetry(CLI::App& verb, PipelineOptions& options) {
  verb.add_flag("--retry", options.retry, "Build again what failed before, although nothing has changed since");
}

void AddBuild(CLI::App& verb, BuildOptions& options) {
  AddPipelineOptions(verb, options.pipeline);
  verb.add_flag("-q,--quiet", options.quiet, "No progress and no summary");
  verb.add_flag("--json", options.json, "As JSON, beside the progress on stderr");
}

auto AddRun(CLI::App& app, RunOptions& options) -> CLI::App* {
  auto* verb = app.add_subcommand("run", "Run a pipeline to the end of its streams");
  AddPipelineOptions(*verb, options.pipeline);
  AddPart(*verb, options.pipeline);
  AddSettings(*verb, options.pipeline);
  AddRetry(*verb, options.pipeline);
  AddOvercommit(*verb, options.pipeline);
  verb->add_flag("--realtime", options.realtime, "Pace media sources by media time");
  verb->add_flag("-q,--quiet", options.quiet, "No progress and no summary");
  verb->add_flag("--measure-cpu", options.measure_cpu, "Measure the CPU time per message that is not the nodes' own");
  verb->add_flag("--strict-loss", options.strict_loss,
                 "Exit with 4 when a message that was sent was not delivered, on any edge");
  verb->add_option("--report", options.report_file, "Write what happened to this file, as JSON")->type_name("FILE");
  AddLogLimits(*verb, options.log);
  AddQuarantineLimit(*verb, options.quarantine_bytes);
  return verb;
}

auto AddGraph(CLI::App& app, GraphOptions& options) -> CLI::App* {
  auto* verb = app.add_subcommand("graph", "Draw a pipeline, as Mermaid text or as SVG");
  AddPipelineOptions(*verb, options.pipeline);
  verb->add_option("--format", options.format, "What to draw it in (default: as the output's name says, else mermaid)")
      ->check(CLI::IsMember({"mermaid", "svg"}).description(""))
      ->type_name("mermaid|svg");
  verb->add_option("-o,--output", options.output, "Write it to this file (default: standard output)")
      ->type_name("FILE");
  return verb;
}

}  // namespace penstock::cli
