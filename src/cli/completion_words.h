// Completion in shells: what can follow on a command line. The shells' scripts only ask; the knowledge is here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace penstock::cli {

struct Completion {
  struct Candidate {
    std::string word;
    std::string what;  // for shells that show it
  };
  std::vector<Candidate> candidates;
  bool files = false;  // names of files can follow, too
};

/// `words` are those after the program's name; the last one is being typed, and may be empty.
auto Complete(const CLI::App& app, const std::vector<std::string>& words) -> Completion;

/// Prints them for a shell's script: "files" or "words", then a candidate a line, a tab and what it is.
auto PrintCompletion(const Completion& completion) -> int;

/// Prints the script for "bash", "zsh" or "fish".
auto PrintCompletionScript(std::string_view shell) -> int;

}  // namespace penstock::cli
