#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "cli/engine.h"
#include "cli/environments.h"
#include "cli/harmless.h"
#include "cli/image_store.h"
#include "cli/image_text.h"
#include "cli/images.h"
#include "cli/json_output.h"
#include "cli/load.h"
#include "cli/verbs.h"
#include "image/base_image.h"
#include "image/build.h"
#include "image/build_log.h"
#include "image/difference.h"
#include "image/dockerfile_build.h"

namespace penstock::cli {
namespace {

// What a run would do for the environment of one node, and why.
struct Answer {
  std::string node;
  std::string identity;  // empty: not known before its base is made
  std::string state;     // "base", "available", "building", "failed" or "missing"
  std::string sentence;
  std::optional<image::Entry> nearest;
  std::vector<std::string> differences;
};

// Of a node whose image is made by a Dockerfile, which the engine does not have. What its packages come to is only
// known upon that image.
auto WithoutItsDockerfile(Answer answer, const image::EnvironmentSpec& spec, ImageStore& store)
    -> base::Expected<Answer> {
  PENSTOCK_ASSIGN(const auto identity, image::IdentityOf(*spec.build, store.engine()));
  PENSTOCK_ASSIGN(const auto entry, store.index().Find(identity));
  const auto what = fmt::format("{} in '{}'", spec.build->dockerfile, spec.build->written);
  answer.state = "missing";
  if (entry && entry->state == image::State::kBuilding) {
    answer.state = image::ToString(entry->state);
    answer.sentence = fmt::format("another process builds the image of {} now; a run waits for that", what);
  } else if (entry && entry->state == image::State::kFailed) {
    answer.state = image::ToString(entry->state);
    answer.sentence = fmt::format("the build of the image of {} failed {}: {}", what,
                                  image::Ago(entry->last_used, image::Now()), entry->failure);
  } else {
    answer.sentence = fmt::format("the image of {} is built{}: it is not there yet", what,
                                  spec.empty() ? "" : ", and its packages are installed upon it");
  }
  return answer;
}

auto AnswerOf(const plan::Node& node, ImageStore& store, const session::EnvironmentOptions& options)
    -> base::Expected<Answer> {
  Answer answer;
  answer.node = node.id;
  PENSTOCK_ASSIGN(const auto asked, session::SpecOf(*node.environment, options.lock.get()));
  PENSTOCK_ASSIGN(const auto spec, image::Normalise(asked));
  PENSTOCK_ASSIGN(const auto base, image::FindBase(store.engine(), spec, ImageStore::Soon()));
  if (!base && spec.build) return WithoutItsDockerfile(std::move(answer), spec, store);
  if (!base) {
    answer.state = "missing";
    answer.sentence = fmt::format("its base image {} is not there yet: it is made or fetched first",
                                  spec.base_image.value_or("for Python " + spec.python_version));
    return answer;
  }
  if (spec.empty()) {
    answer.state = "base";
    answer.sentence = fmt::format("nothing to build: no packages, {} as it is", base->reference);
    return answer;
  }
  answer.identity = image::Identity(spec, base->content);
  PENSTOCK_ASSIGN(const auto entry, store.index().Find(answer.identity));
  answer.state = entry ? image::ToString(entry->state) : "missing";
  if (entry && entry->state == image::State::kAvailable) {
    answer.sentence = fmt::format("nothing to build: {} is there, last used {}", ShortId(*entry),
                                  image::Ago(entry->last_used, image::Now()));
    return answer;
  }
  if (entry && entry->state == image::State::kBuilding) {
    answer.sentence = "another process builds it now; a run waits for that";
    return answer;
  }
  if (entry) {
    answer.sentence =
        fmt::format("its build failed {}: {}", image::Ago(entry->last_used, image::Now()), entry->failure);
  }
  const auto wanted = image::ContentsOf(spec, *base);
  const auto* nearest = image::Nearest(store.entries(), wanted);
  if (nearest == nullptr) {
    if (!entry) answer.sentence = "it is built: there is no environment yet";
    return answer;
  }
  answer.nearest = *nearest;
  answer.differences = image::Differences(nearest->contents, wanted);
  if (!entry) {
    answer.sentence = fmt::format("it is built: the nearest that is there, {} (last used {}), differs",
                                  ShortId(*nearest), image::Ago(nearest->last_used, image::Now()));
  }
  return answer;
}

auto ToJson(const Answer& answer) -> nlohmann::json {
  nlohmann::json value{{"node", answer.node}, {"state", answer.state}, {"why", answer.sentence}};
  if (!answer.identity.empty()) value["identity"] = answer.identity;
  if (answer.nearest) value["nearest"] = answer.nearest->identity;
  if (answer.nearest) value["differences"] = answer.differences;
  return value;
}

}  // namespace

auto WhyImage(const std::string& manifest, const std::string& node, bool json) -> int {
  const auto plan = LoadPlan({.manifest = manifest});
  if (!plan) return Show(plan.error());
  const auto is_asked = [&](const plan::Node& one) {
    return one.placement == plan::Placement::kContainer && (node.empty() || one.id == node);
  };
  if (!node.empty() && std::ranges::none_of(plan->nodes, is_asked)) {
    fmt::print(stderr, "penstock: error: '{}' has no node '{}' in a container\n", manifest, node);
    return kUsage;
  }
  const auto options = EnvironmentOptionsOf(*plan, false);
  if (!options) {
    Complain(options.error());
    return kUsage;
  }
  auto store = ImageStore::Open();
  if (!store) return Complain(store.error());
  auto list = nlohmann::json::array();
  for (const auto& one : plan->nodes) {
    if (!is_asked(one)) continue;
    const auto answer = AnswerOf(one, *store, *options);
    if (!answer) return Complain(answer.error());
    list.push_back(ToJson(*answer));
    if (json) continue;
    fmt::print("{}: {}\n", answer->node, HarmlessAt(STDOUT_FILENO, answer->sentence));
    for (const auto& line : answer->differences) fmt::print("  {}\n", line);
  }
  if (json) PrintJson(list);
  return kDone;
}

}  // namespace penstock::cli
