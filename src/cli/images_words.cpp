#include "cli/images_words.h"

#include <CLI/CLI.hpp>
#include <map>

#include "cli/images.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kKeep = 50;

// What the words were, shared by the actions below.
struct Words {
  bool json = false;
  std::string id;
  std::string manifest;
  std::string node;
  std::size_t keep = kKeep;
  std::int64_t older_than = 0;  // seconds
  std::uint64_t size = 0;       // bytes
};

auto Units() -> std::map<std::string, std::int64_t> {
  return {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
}

}  // namespace

ImagesWords::ImagesWords(CLI::App& app)
    : verb_(app.add_subcommand("images", "Show the environments that were built, and give up those not needed")) {
  auto words = std::make_shared<Words>();
  run_ = [words] { return ListImages(words->json); };
  verb_->require_subcommand(0, 1);
  const auto add_json = [words](CLI::App& sub) { sub.add_flag("--json", words->json, "As JSON"); };
  add_json(*verb_);
  const auto add = [&](const char* name, const char* what, std::function<int()> action) {
    auto* sub = verb_->add_subcommand(name, what);
    add_json(*sub);
    sub->callback([this, action = std::move(action)] { run_ = action; });
    return sub;
  };
  const auto add_id = [words](CLI::App& sub) {
    sub.add_option("id", words->id, "The beginning of an environment's id, or its image")->required();
  };

  add("list", "List them, the one used last first", [words] { return ListImages(words->json); });
  add_id(*add("show", "Show what one holds: its packages, and a Dockerfile that makes the same",
              [words] { return ShowImage(words->id, words->json); }));
  auto* why = add("why", "Show what a run would build, and what is different from what is there",
                  [words] { return WhyImage(words->manifest, words->node, words->json); });
  why->add_option("manifest", words->manifest, "The pipeline's manifest")->required();
  why->add_option("node", words->node, "Only this node");
  add_id(*add("pin", "Keep one whatever is pruned", [words] { return PinImage(words->id, true, words->json); }));
  add_id(*add("unpin", "Let prune remove it again", [words] { return PinImage(words->id, false, words->json); }));

  auto* prune =
      verb_->add_subcommand("prune", "Remove the environments used longest ago; never one that is in use or pinned");
  add_json(*prune);
  auto* keep = prune->add_option("--keep", words->keep, "How many may stay (50 when no limit is given)")
                   ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000}).description(""))
                   ->type_name("N");
  auto* older = prune->add_option("--older-than", words->older_than, "Remove what was last used longer ago: 12h, 30d")
                    ->transform(CLI::AsNumberWithUnit(Units(), CLI::AsNumberWithUnit::CASE_SENSITIVE, "DURATION"));
  auto* size = prune->add_option("--size", words->size, "How large all together may be: 20GB")
                   ->transform(CLI::AsSizeValue(true))
                   ->type_name("SIZE");
  for (const auto& [name, example] :
       std::map<std::string, std::string>{{"list", "list --json"},
                                          {"show", "show 1f2e3d4c5b6a"},
                                          {"why", "why pipeline.yaml asr"},
                                          {"pin", "pin 1f2e3d4c5b6a"},
                                          {"unpin", "unpin 1f2e3d4c5b6a"},
                                          {"prune", "prune --older-than 30d --size 20GB"}}) {
    verb_->get_subcommand(name)->footer("Example:\n  penstock images " + example);
  }
  prune->callback([this, words, keep, older, size] {
    image::PruneLimits limits;
    if (*older) limits.older_than = std::chrono::seconds(words->older_than);
    if (*size) limits.size_bytes = static_cast<std::int64_t>(words->size);
    if (*keep || (!*older && !*size)) limits.keep = words->keep;
    run_ = [limits, words] { return PruneImages(limits, words->json); };
  });
}

auto ImagesWords::parsed() const -> bool { return verb_->parsed(); }

}  // namespace penstock::cli
