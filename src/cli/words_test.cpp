#include "cli/words.h"

#include <gtest/gtest.h>

#include "cli/table.h"

namespace penstock::cli {
namespace {

const std::vector<std::string> kVerbs{"run",    "logs",    "validate", "plan", "build", "lock",
                                      "images", "version", "ps",       "stop", "gc"};

TEST(Nearest, IsTheVerbThatWasMeant) {
  EXPECT_EQ(Nearest("rum", kVerbs), "run");
  EXPECT_EQ(Nearest("urn", kVerbs), "run");
  EXPECT_EQ(Nearest("log", kVerbs), "logs");
  EXPECT_EQ(Nearest("valid", kVerbs), "validate");
  EXPECT_EQ(Nearest("stpo", kVerbs), "stop");
  EXPECT_EQ(Nearest("imgaes", kVerbs), "images");
}

TEST(Nearest, IsNoneWhenAllAreFar) {
  EXPECT_EQ(Nearest("deploy", kVerbs), std::nullopt);
  EXPECT_EQ(Nearest("pipeline.yaml", kVerbs), std::nullopt);
  EXPECT_EQ(Nearest("", kVerbs), std::nullopt);
}

TEST(Ids, OfContainersAreShortened) {
  const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  EXPECT_EQ(ShortenIds("No such container: " + id), "No such container: 0123456789ab");
  EXPECT_EQ(ShortenIds(id + ", " + id + "!"), "0123456789ab, 0123456789ab!");
}

TEST(Ids, OfOtherThingsStay) {
  const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  for (const auto& text : {"numpy has sha256:" + id, "see /builds/" + id + ".log", id + "0",
                           std::string("node 'added' of cafe"), std::string()})
    EXPECT_EQ(ShortenIds(text), text);
}

TEST(Table, IsCutToAWidthFromItsWidestColumn) {
  const std::vector<Row> rows{{"edge", "sent"}, {"microphone.out->äöü.in", "1234567"}};
  EXPECT_EQ(RenderTable(rows), "edge                    sent\nmicrophone.out->äöü.in  1234567\n");
  EXPECT_EQ(RenderTable(rows, 20), "edge         sent\nmicrophone…  1234567\n");
  EXPECT_EQ(RenderTable({{"äöüäöüäöü", "x"}}, 9), "äöüäö…  x\n");
  EXPECT_EQ(RenderTable(rows, 3), "edge    sent\nmicro…  12345…\n") << "no column is cut to nothing";
}

}  // namespace
}  // namespace penstock::cli
