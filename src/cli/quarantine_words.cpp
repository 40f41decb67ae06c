#include "cli/quarantine_words.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/quarantine.h"

namespace penstock::cli {
namespace {

struct Words {
  bool json = false;
  std::string id;
  std::vector<std::string> ids;
  bool all = false;
};

}  // namespace

QuarantineWords::QuarantineWords(CLI::App& app)
    : verb_(app.add_subcommand("quarantine", "Show the messages that nodes failed at, and try them again")) {
  auto words = std::make_shared<Words>();
  run_ = [words] { return ListQuarantine(words->json); };
  verb_->require_subcommand(0, 1);
  const auto add_json = [words](CLI::App& sub) { sub.add_flag("--json", words->json, "As JSON"); };
  add_json(*verb_);
  const auto add = [&](const char* name, const char* what, const char* example, std::function<int()> action) {
    auto* sub = verb_->add_subcommand(name, what);
    sub->footer(std::string("Example:\n  penstock quarantine ") + example);
    sub->callback([this, action = std::move(action)] { run_ = action; });
    return sub;
  };
  const auto add_id = [words](CLI::App& sub) {
    sub.add_option("id", words->id, "The beginning of a message's id")->required();
  };
  add_json(*add("list", "List them, the oldest first", "list --json", [words] { return ListQuarantine(words->json); }));
  auto* show = add("show", "Show what happened to one, with the traceback of every attempt", "show 0190163d",
                   [words] { return ShowQuarantined(words->id, words->json); });
  add_id(*show);
  add_json(*show);
  add_id(*add("replay", "Run the node that failed on one, and print what it sends; the message stays in quarantine",
              "replay 0190163d", [words] { return ReplayQuarantined(words->id); }));
  auto* remove = add("remove", "Give some up, or all", "remove 0190163d 0190163e",
                     [words] { return RemoveQuarantined(words->ids, words->all); });
  auto* ids = remove->add_option("id", words->ids, "The beginnings of messages' ids");
  remove->add_flag("--all", words->all, "All that there are")->excludes(ids);
}

auto QuarantineWords::parsed() const -> bool { return verb_->parsed(); }

}  // namespace penstock::cli
