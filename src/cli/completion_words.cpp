#include "cli/completion_words.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

#include "cli/native_nodes.h"
#include "manifest/load.h"
#include "observe/session_folder.h"

namespace penstock::cli {
namespace {

using Candidates = std::vector<Completion::Candidate>;

auto TakesValue(const CLI::Option& option) -> bool { return option.get_type_size() != 0; }

// "declared|process" names its values, "DURATION|TIME" their kinds.
auto Choices(const CLI::Option& option) -> Candidates {
  const auto type = option.get_type_name();
  const bool are_words = std::ranges::all_of(type, [](char c) { return std::islower(c) != 0 || c == '|' || c == '-'; });
  if (!are_words || type.find('|') == std::string::npos) return {};
  Candidates choices;
  for (std::size_t begin = 0; begin <= type.size();) {
    const auto end = std::min(type.find('|', begin), type.size());
    choices.push_back({.word = type.substr(begin, end - begin), .what = {}});
    begin = end + 1;
  }
  return choices;
}

auto NativeNames() -> Candidates {
  Candidates names;
  for (const auto& node : AskNativeNodes().nodes) names.push_back({.word = node.name, .what = node.summary});
  return names;
}

auto Sessions() -> Candidates {
  Candidates sessions;
  if (const auto folder = observe::SessionsDirectory()) {
    for (const auto& id : observe::ListSessions(*folder)) sessions.push_back({.word = id, .what = "session"});
  }
  return sessions;
}

// The first word that is a manifest, if any is.
auto PipelineIn(const std::vector<std::string>& words) -> std::optional<manifest::Pipeline> {
  for (const auto& word : words) {
    std::error_code error;
    if (word == "-" || !std::filesystem::exists(word, error)) continue;
    if (auto pipeline = manifest::Load(word)) return std::move(*pipeline);
  }
  return std::nullopt;
}

auto NodeIds(const std::vector<std::string>& words, std::string_view behind) -> Candidates {
  Candidates ids;
  if (const auto pipeline = PipelineIn(words)) {
    for (const auto& node : pipeline->nodes)
      ids.push_back({.word = node.id + std::string(behind), .what = node.node_type});
  }
  return ids;
}

class Completer final {
 public:
  Completer(const CLI::App& app, const std::vector<std::string>& words) : verb_(&app), words_(words) {}

  auto Run() -> Completion {
    for (std::size_t i = 0; i + 1 < words_.size(); ++i) Pass(words_[i]);
    const auto typed = words_.empty() ? std::string() : words_.back();
    // What bash takes apart at "=" is a word of its own.
    const auto begun = typed == "=" ? std::string() : typed;
    if (option_ != nullptr) return Values(*option_, begun, {});
    const auto equals = begun.find('=');
    if (begun.starts_with("--") && equals != std::string::npos) {
      const auto* option = FindOption(begun.substr(0, equals));
      if (option == nullptr) return {};
      return Values(*option, begun.substr(equals + 1), begun.substr(0, equals + 1));
    }
    if (begun.starts_with("-") && begun != "-") return Only(Options(), begun, {});
    return Arguments(begun);
  }

 private:
  void Pass(const std::string& word) {
    if (word == "=") return;
    if (option_ != nullptr) {
      option_ = nullptr;
    } else if (word.starts_with("-") && word != "-") {
      const auto* option = FindOption(word);
      if (option != nullptr && TakesValue(*option)) option_ = option;
    } else if (const auto* next = FindVerb(word)) {
      verb_ = next;
    } else {
      ++passed_;
    }
  }

  auto FindVerb(const std::string& name) const -> const CLI::App* {
    for (const auto* verb : verb_->get_subcommands([](const CLI::App* any) { return !any->get_group().empty(); }))
      if (verb->get_name() == name) return verb;
    return nullptr;
  }

  auto FindOption(const std::string& name) const -> const CLI::Option* {
    for (const auto* option : verb_->get_options([](const CLI::Option* any) { return any->nonpositional(); }))
      if (option->check_name(name)) return option;
    return nullptr;
  }

  auto Options() const -> Candidates {
    Candidates options;
    for (const auto* option : verb_->get_options([](const CLI::Option* any) { return any->nonpositional(); })) {
      for (const auto& name : option->get_lnames())
        options.push_back({.word = "--" + name, .what = option->get_description()});
    }
    return options;
  }

  static auto Only(Candidates candidates, std::string_view begun, const std::string& before) -> Completion {
    std::erase_if(candidates, [&](const auto& candidate) { return !candidate.word.starts_with(begun); });
    for (auto& candidate : candidates) candidate.word = before + candidate.word;
    return {.candidates = std::move(candidates), .files = false};
  }

  auto Values(const CLI::Option& option, std::string_view begun, const std::string& before) const -> Completion {
    const auto type = option.get_type_name();
    if (type.ends_with("FILE")) return {.candidates = {}, .files = true};
    if (type == "NODE.PARAM=VALUE") return Only(NodeIds(words_, "."), begun, before);
    if (type == "NODE") return Only(NodeIds(words_, {}), begun, before);
    return Only(Choices(option), begun, before);
  }

  auto Arguments(std::string_view begun) const -> Completion {
    Candidates candidates;
    for (const auto* verb : verb_->get_subcommands([](const CLI::App* any) { return !any->get_group().empty(); }))
      candidates.push_back({.word = verb->get_name(), .what = verb->get_description()});
    const auto places = verb_->get_options([](const CLI::Option* any) { return any->get_positional(); });
    if (!candidates.empty() || places.empty()) return Only(std::move(candidates), begun, {});
    const auto& place = *places[std::min(passed_, places.size() - 1)];
    if (place.get_name() == "session") return Only(Sessions(), begun, {});
    if (place.get_name() == "name") return Only(NativeNames(), begun, {});
    if (const auto choices = Choices(place); !choices.empty()) return Only(choices, begun, {});
    return {.candidates = {}, .files = true};
  }

  const CLI::App* verb_;
  const std::vector<std::string>& words_;
  const CLI::Option* option_ = nullptr;  // whose value comes next
  std::size_t passed_ = 0;               // arguments of the verb
};

constexpr std::string_view kBash = R"(# penstock completion for bash: source it, or put it into
# ~/.local/share/bash-completion/completions/penstock
_penstock() {
  local words=("${COMP_WORDS[@]:1:COMP_CWORD}") lines line
  mapfile -t lines < <("${COMP_WORDS[0]}" completion words -- "${words[@]}" 2>/dev/null)
  COMPREPLY=()
  for line in "${lines[@]:1}"; do COMPREPLY+=("${line%%$'\t'*}"); done
  if [[ ${lines[0]-} == files ]]; then
    compopt -o filenames
    mapfile -t lines < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    COMPREPLY+=("${lines[@]}")
  elif [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *[.=] ]]; then
    compopt -o nospace
  fi
}
complete -F _penstock penstock
)";

constexpr std::string_view kZsh = R"(#compdef penstock
# penstock completion for zsh: put it into a folder of $fpath, as _penstock, or source it after compinit
_penstock() {
  local -a lines candidates texts
  local line
  lines=("${(@f)$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "${(@)lines[2,-1]}"; do
    [[ -n $line ]] || continue
    candidates+=("${line%%$'\t'*}")
    texts+=("${line/$'\t'/  }")
  done
  if [[ ${lines[1]} == files ]]; then
    _files
  elif [[ ${candidates[1]-} == *[.=] ]]; then
    compadd -S '' -l -d texts -a candidates
  else
    compadd -l -d texts -a candidates
  fi
}
if [[ ${funcstack[1]-} == _penstock ]]; then _penstock "$@"; else compdef _penstock penstock; fi
)";

constexpr std::string_view kFish =
    R"(# penstock completion for fish: put it into ~/.config/fish/completions/penstock.fish
function __penstock_words
    set -l words (commandline -opc)
    $words[1] completion words -- $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c penstock -f
complete -c penstock -n 'test (__penstock_words)[1] = files' -F
complete -c penstock -n 'test (__penstock_words)[1] = words' -a '(__penstock_words)[2..-1]'
)";

}  // namespace

auto Complete(const CLI::App& app, const std::vector<std::string>& words) -> Completion {
  return Completer(app, words).Run();
}

auto PrintCompletion(const Completion& completion) -> int {
  fmt::print("{}\n", completion.files ? "files" : "words");
  for (const auto& [word, what] : completion.candidates) fmt::print("{}\t{}\n", word, what);
  return 0;
}

auto PrintCompletionScript(std::string_view shell) -> int {
  fmt::print("{}", shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish);
  return 0;
}

}  // namespace penstock::cli
