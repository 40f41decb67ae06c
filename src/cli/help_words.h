// How help is laid out, and what completion needs to know about the same words.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class FormatterBase;
}  // namespace CLI

namespace penstock::cli {

/// Help in two columns, as wide as the terminal up to a readable width.
auto HelpFormatter() -> std::shared_ptr<CLI::FormatterBase>;

/// Gives every verb its examples. After all verbs were added.
void AddExamples(CLI::App& app);

}  // namespace penstock::cli
