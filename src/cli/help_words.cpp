#include "cli/help_words.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cli/paragraph.h"
#include "cli/table.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kWidest = 100;  // longer lines are hard to read
constexpr std::size_t kColumn = 26;   // where descriptions begin

auto Width() -> std::size_t {
  const auto width = OutputWidth();
  return width == 0 ? kWidest : std::min(width, kWidest);
}

// A name in the left column, what it means in the right one; under it where the name is too long.
auto Entry(const std::string& name, const std::string& what) -> std::string {
  // Of a narrow terminal the names would take all: then what they mean is only indented.
  const auto width = Width();
  const auto column = width >= 2 * kColumn ? kColumn : 6;
  auto text = Paragraph(what, column, width);
  if (text.empty()) return "  " + name + "\n";
  const auto left = "  " + name;
  if (DisplayWidth(left) + 2 > column) return left + "\n" + text;
  return left + text.substr(DisplayWidth(left));
}

class Formatter final : public CLI::Formatter {
 public:
  auto make_help(const CLI::App* app, std::string name, CLI::AppFormatMode /*mode*/) const -> std::string override {
    auto text = Paragraph(app->get_description(), 0, Width());
    text += "\nUsage: " + name + Usage(app) + "\n";
    text += Section("Arguments", app, [](const CLI::Option* option) { return option->get_positional(); });
    text += Section("Options", app, [](const CLI::Option* option) { return option->nonpositional(); });
    text += Commands(app);
    if (const auto footer = app->get_footer(); !footer.empty()) text += "\n" + footer + "\n";
    return text;
  }

 private:
  static auto Usage(const CLI::App* app) -> std::string {
    std::string text = " [OPTIONS]";
    for (const auto* option : app->get_options([](const CLI::Option* any) { return any->get_positional(); })) {
      const auto name = option->get_name(true, false) + (option->get_items_expected_max() > 1 ? "..." : "");
      text += option->get_required() ? " " + name : " [" + name + "]";
    }
    if (const auto commands = VisibleCommands(app); !commands.empty())
      text += app->get_require_subcommand_min() == 0 ? " [COMMAND]" : " COMMAND";
    return text;
  }

  template <class Wanted>
  static auto Section(const char* title, const CLI::App* app, Wanted wanted) -> std::string {
    std::string text;
    for (const auto* option : app->get_options([&](const CLI::Option* any) { return wanted(any); }))
      if (!option->get_group().empty()) text += Entry(NameOf(option), WhatOf(option));
    return text.empty() ? text : fmt::format("\n{}:\n{}", title, text);
  }

  static auto NameOf(const CLI::Option* option) -> std::string {
    if (option->get_positional()) return option->get_name(true, false);
    auto name = CLI::detail::find_and_replace(option->get_name(false, true), ",", ", ");
    // Behind a colon CLI11 adds what it thinks of a type's checks.
    const auto type = option->get_type_name().substr(0, option->get_type_name().find(':'));
    return option->get_type_size() == 0 || type.empty() ? name : name + " " + (type == "UINT" ? "N" : type);
  }

  static auto WhatOf(const CLI::Option* option) -> std::string {
    auto what = option->get_description();
    if (const auto otherwise = option->get_default_str(); !otherwise.empty()) what += " (default: " + otherwise + ")";
    if (const auto variable = option->get_envname(); !variable.empty()) what += " (also by " + variable + ")";
    return what;
  }

  static auto VisibleCommands(const CLI::App* app) -> std::vector<const CLI::App*> {
    return app->get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
  }

  static auto Commands(const CLI::App* app) -> std::string {
    std::string text;
    for (const auto* verb : VisibleCommands(app)) text += Entry(verb->get_name(), verb->get_description());
    return text.empty() ? text : "\nCommands:\n" + text;
  }
};

struct Example {
  std::string command;
  std::string what;
};

auto Examples() -> std::map<std::string, std::vector<Example>> {
  return {
      {"run",
       {{"run pipeline.yaml", "to the end of its streams"},
        {"run pipeline.yaml --placement process", "without containers, with the same packages"},
        {"run pipeline.yaml --set asr.model=small --set source.audio.rate=16000", "with other parameters"},
        {"run pipeline.yaml - --output - < talk.wav", "from standard input to standard output"},
        {"run pipeline.yaml --only asr --input talk.wav", "one node alone, with what it sends as JSON lines"},
        {"run pipeline.yaml --quiet --strict-loss --report report.json", "for a script"}}},
      {"logs", {{"logs --follow --node asr --level warning", "what is wrong with a node that runs"}}},
      {"validate",
       {{"validate pipeline.yaml other/pipeline.json", "everything that is wrong with either"},
        {"validate --json pipeline.yaml", "the same for an editor or a script"}}},
      {"plan",
       {{"plan pipeline.yaml", "what would run where, with which limits"},
        {"plan pipeline.yaml --json", "the same for a program"}}},
      {"graph",
       {{"graph pipeline.yaml", "for a README: between ```mermaid and ```"},
        {"graph pipeline.yaml --output pipeline.svg", "for a browser"}}},
      {"build", {{"build pipeline.yaml", "so that a later run starts at once"}}},
      {"lock", {{"lock pipeline.yaml", "so that every build has the same packages"}}},
      {"check-image", {{"check-image registry.example/speech:7 --python 3.11", "whether nodes can run in it"}}},
      {"images", {{"images why pipeline.yaml", "what a run would build, and why"}}},
      {"quarantine", {{"quarantine replay 0190163d", "a message that failed, with the node as it is now"}}},
      {"schema", {{"schema > manifest.schema.json", "for an editor"}}},
      {"version", {{"version --json", "for a bug report"}}},
      {"ps", {{"ps --json", "sessions, nodes and edges, for a program"}}},
      {"stop", {{"stop --all --timeout 10", "all sessions, each within ten seconds"}}},
      {"gc", {{"gc --warm", "containers that only wait for a next session, too"}}},
      {"doctor",
       {{"doctor", "why something does not work here"},
        {"doctor --quiet", "only warnings and problems; exit code 3 with a problem"}}},
      {"completion",
       {{"completion bash > ~/.local/share/bash-completion/completions/penstock", "for every new bash"},
        {"completion fish > ~/.config/fish/completions/penstock.fish", "for fish"}}},
      {"nodes", {{"nodes", "which native nodes there are"}, {"nodes media.source", "what one takes"}}},
  };
}

}  // namespace

auto HelpFormatter() -> std::shared_ptr<CLI::FormatterBase> { return std::make_shared<Formatter>(); }

void AddExamples(CLI::App& app) {
  for (const auto& [verb, examples] : Examples()) {
    std::string footer = examples.size() == 1 ? "Example:" : "Examples:";
    for (const auto& [command, what] : examples) footer += fmt::format("\n  penstock {}\n      {}", command, what);
    app.get_subcommand(verb)->footer(footer);
  }
}

}  // namespace penstock::cli
