#include "cli/host_words.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/completion_words.h"
#include "cli/verbs.h"

namespace penstock::cli {

HostWords::HostWords(CLI::App& app) {
  AddDoctor(app);
  AddNodes(app);
  AddCompletion(app);
}

void HostWords::AddDoctor(CLI::App& app) {
  auto doctor = std::make_shared<DoctorOptions>();
  auto* verb = app.add_subcommand("doctor", "Look at what this host has for pipelines, and say what to do");
  verb->add_flag("-q,--quiet", doctor->quiet, "Only warnings and problems");
  verb->add_flag("--json", doctor->json, "As JSON");
  verb->callback([this, doctor] { run_ = [doctor] { return Doctor(*doctor); }; });
}

void HostWords::AddNodes(CLI::App& app) {
  auto nodes = std::make_shared<NodesOptions>();
  auto* verb = app.add_subcommand("nodes", "Show the native nodes, their ports and their parameters");
  verb->add_option("name", nodes->name, "Only this one, with all that it takes");
  verb->add_flag("--json", nodes->json, "As JSON");
  verb->callback([this, nodes] { run_ = [nodes] { return Nodes(*nodes); }; });
}

void HostWords::AddCompletion(CLI::App& app) {
  auto* verb = app.add_subcommand("completion", "Print the script that completes penstock's words in a shell");
  auto shell = std::make_shared<std::string>();
  verb->add_option("shell", *shell, "bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""))
      ->type_name("bash|zsh|fish");
  verb->require_subcommand(0, 1);
  verb->callback([this, verb, shell] {
    if (shell->empty() && verb->get_subcommands().empty()) throw CLI::RequiredError("shell (bash, zsh or fish)");
    if (!shell->empty()) run_ = [shell] { return PrintCompletionScript(*shell); };
  });
  // What the scripts ask; not for people.
  auto* ask = verb->add_subcommand("words", "Print what can follow")->group("");
  auto words = std::make_shared<std::vector<std::string>>();
  ask->add_option("word", *words);
  ask->callback([this, &app, words] { run_ = [&app, words] { return PrintCompletion(Complete(app, *words)); }; });
}

}  // namespace penstock::cli
