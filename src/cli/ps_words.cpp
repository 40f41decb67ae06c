#include "cli/ps_words.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace penstock::cli {
namespace {

using nlohmann::json;

constexpr double kWorthAWord = 1;  // seconds

auto Seconds(const json& what) -> double { return what.value("for_s", 0.0); }

}  // namespace

auto StandingSentences(const json& node) -> std::vector<std::string> {
  std::vector<std::string> sentences;
  const auto id = node.value("id", "");
  if (const auto restarting = node.value("restarting", json()); restarting.is_object()) {
    sentences.push_back(fmt::format("node '{}' is being restarted (restart {}), for {:.1f} s so far: {}", id,
                                    node.value("restarts", 0), Seconds(restarting), restarting.value("step", "")));
  }
  for (const auto& wait : node.value("waits_for", json::array())) {
    if (Seconds(wait) < kWorthAWord) continue;
    sentences.push_back(fmt::format("node '{}' has waited {:.1f} s for node '{}' to make room on edge {}", id,
                                    Seconds(wait), wait.value("node", ""), wait.value("edge", "")));
  }
  const auto handling = node.value("handling", json());
  if (sentences.empty() && handling.is_object() && Seconds(handling) >= kWorthAWord) {
    sentences.push_back(fmt::format("node '{}' has been handling message {} of edge {} for {:.1f} s", id,
                                    handling.value("message", std::uint64_t{0}), handling.value("edge", ""),
                                    Seconds(handling)));
  }
  return sentences;
}

}  // namespace penstock::cli
