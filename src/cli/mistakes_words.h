// Words that make no command: what is wrong with them, and what was probably meant.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class Error;
}  // namespace CLI

namespace penstock::cli {

/// For the person who typed them; ends with a line feed.
auto ExplainMistake(const CLI::App& app, const CLI::Error& error) -> std::string;

/// "--set" and the like, without those for help.
auto OptionNames(const CLI::App& verb) -> std::vector<std::string>;
/// Names of the commands of `app` that help shows.
auto VerbNames(const CLI::App& app) -> std::vector<std::string>;

}  // namespace penstock::cli
