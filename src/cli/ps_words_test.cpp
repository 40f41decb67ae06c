#include "cli/ps_words.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace penstock::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

auto Node() -> json {
  return {{"id", "x"}, {"restarts", 0}, {"handling", nullptr}, {"waits_for", json::array()}, {"restarting", nullptr}};
}

TEST(PsWords, ANodeThatGoesOnIsNotWorthAWord) {
  auto node = Node();
  EXPECT_THAT(StandingSentences(node), IsEmpty());
  node["handling"] = {{"edge", "a.out->x.in"}, {"message", 3}, {"for_s", 0.9}};
  node["waits_for"].push_back({{"node", "y"}, {"edge", "x.out->y.in"}, {"for_s", 0.9}});
  EXPECT_THAT(StandingSentences(node), IsEmpty());
}

TEST(PsWords, AHandlerThatHangsIsNamedWithItsMessage) {
  auto node = Node();
  node["handling"] = {{"edge", "a.out->x.in"}, {"message", 3}, {"for_s", 4.25}};
  EXPECT_THAT(StandingSentences(node),
              ElementsAre("node 'x' has been handling message 3 of edge a.out->x.in for 4.2 s"));
}

TEST(PsWords, WhoWaitsForAnotherDoesNotHang) {
  auto node = Node();
  node["handling"] = {{"edge", "a.out->x.in"}, {"message", 3}, {"for_s", 9.0}};
  node["waits_for"].push_back({{"node", "y"}, {"edge", "x.out->y.in"}, {"for_s", 8.0}});
  EXPECT_THAT(StandingSentences(node),
              ElementsAre("node 'x' has waited 8.0 s for node 'y' to make room on edge x.out->y.in"));
}

TEST(PsWords, ARestartIsNamedWithHowFarItIs) {
  auto node = Node();
  node["restarts"] = 2;
  node["restarting"] = {{"for_s", 0.5}, {"step", "its new worker starts"}};
  EXPECT_THAT(StandingSentences(node),
              ElementsAre("node 'x' is being restarted (restart 2), for 0.5 s so far: its new worker starts"));
}

TEST(PsWords, AnAnswerOfAnotherVersionIsNotMisread) {
  json node;
  node["id"] = "x";
  EXPECT_THAT(StandingSentences(node), IsEmpty());
}

}  // namespace
}  // namespace penstock::cli
