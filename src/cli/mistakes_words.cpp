#include "cli/mistakes_words.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/words.h"

namespace penstock::cli {
namespace {

auto Meant(const std::string& typed, const std::vector<std::string>& known) -> std::string {
  const auto nearest = Nearest(typed, known);
  return nearest ? fmt::format("; did you mean '{}'?", *nearest) : std::string();
}

// The command that was reached, and its name as it is typed.
auto Reached(const CLI::App& app) -> std::pair<const CLI::App*, std::string> {
  const auto* verb = &app;
  auto name = app.get_name();
  for (auto next = verb->get_subcommands(); !next.empty(); next = verb->get_subcommands()) {
    verb = next.front();
    name += " " + verb->get_name();
  }
  return {verb, name};
}

auto ExplainExtra(const CLI::App& verb, const std::string& name, const std::string& extra) -> std::string {
  if (extra.starts_with("-")) {
    const auto option = extra.substr(0, extra.find('='));
    return fmt::format("'{}' has no option '{}'{}", name, option, Meant(option, OptionNames(verb)));
  }
  const auto verbs = VerbNames(verb);
  if (!verbs.empty()) return fmt::format("'{}' has no command '{}'{}", name, extra, Meant(extra, verbs));
  return fmt::format("'{}' takes no further argument, but got '{}'", name, extra);
}

}  // namespace

auto ExplainMistake(const CLI::App& app, const CLI::Error& error) -> std::string {
  const auto [verb, name] = Reached(app);
  const auto extras = app.remaining(true);
  std::string what = error.what();
  const bool is_extra = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  if (is_extra && !extras.empty()) what = ExplainExtra(*verb, name, extras.front());
  if (what == "A subcommand is required") what = fmt::format("'{}' needs a command", name);
  return fmt::format("penstock: error: {}\nsee '{} --help'\n", what, name);
}

auto OptionNames(const CLI::App& verb) -> std::vector<std::string> {
  std::vector<std::string> names;
  for (const auto* option : verb.get_options([](const CLI::Option* any) { return any->nonpositional(); })) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

auto VerbNames(const CLI::App& app) -> std::vector<std::string> {
  std::vector<std::string> names;
  for (const auto* verb : app.get_subcommands([](const CLI::App* any) { return !any->get_group().empty(); }))
    names.push_back(verb->get_name());
  return names;
}

}  // namespace penstock::cli
