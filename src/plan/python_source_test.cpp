#include "plan/python_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace penstock::plan {
namespace {

/// "audio:Audio speaker:Json|Text", "?" for what is not known.
auto Render(const Ports& ports) -> std::string {
  if (!ports) return "?";
  std::string text;
  for (const auto& [name, types] : *ports) {
    text +=
        fmt::format("{}{}:{}", text.empty() ? "" : " ", name, types ? fmt::format("{}", fmt::join(*types, "|")) : "?");
  }
  return text;
}

/// Of the class A, "inputs -> outputs".
auto PortsOfA(const std::string& body,
              const std::string& head = "import penstock\nfrom penstock import Audio, Json, Node, Text\n")
    -> std::string {
  const auto classes = ReadNodeClasses(head + body);
  const auto found = classes.find("A");
  if (found == classes.end()) return "none";
  return Render(found->second.ports.inputs) + " -> " + Render(found->second.ports.outputs);
}

TEST(PythonSource, TheParameterOfProcessIsTheInput) {
  EXPECT_EQ(PortsOfA("class A(penstock.Node):\n  def process(self, sound: Audio) -> Text: ...\n"),
            "in:Audio -> out:Text");
  EXPECT_EQ(PortsOfA("class A(Node):\n  def process(self, sound): ...\n"), "in:? -> out:?");
  EXPECT_EQ(PortsOfA("class A(Node):\n  def process(self, sound: Audio) -> None: ...\n"), "in:Audio -> out:?");
  EXPECT_EQ(PortsOfA("class A(Node):\n  def process(self) -> Text: ...\n"), " -> out:Text");
}

TEST(PythonSource, SeveralParametersAreSeveralInputs) {
  EXPECT_EQ(PortsOfA("class A(Node):\n  def process(self, a: Audio = None, b: 'Json | Text' = None): ...\n"),
            "a:Audio b:Json|Text -> out:?");
}

TEST(PythonSource, DeclaredPortsCount) {
  EXPECT_EQ(PortsOfA("class A(Node):\n"
                     "  inputs = {'audio': Audio, \"speaker\": penstock.Json}  # two\n"
                     "  outputs: dict[str, type] = {'left': Text | Json, 'right': None,}\n"
                     "  def process(self, **one): ...\n"),
            "audio:Audio speaker:Json -> left:Json|Text right:?");
}

TEST(PythonSource, MethodsOfPortsAreInputs) {
  EXPECT_EQ(
      PortsOfA(
          "class A(Node):\n  def on_audio(self, m: Audio) -> Text: ...\n  def on_text(self, m: Text) -> Json: ...\n"),
      "audio:Audio text:Text -> out:Json|Text");
}

TEST(PythonSource, IteratorsAndOptionsGiveWhatIsInThem) {
  const std::string head =
      "from typing import Iterator, Optional, Union\nimport collections.abc\nimport penstock as p\n";
  const auto outputs = [&](const std::string& annotation) {
    return PortsOfA(fmt::format("class A(p.Node):\n  def process(self, m) -> {}: ...\n", annotation), head);
  };
  EXPECT_EQ(outputs("Iterator[p.Text]"), "in:? -> out:Text");
  EXPECT_EQ(outputs("collections.abc.Iterator[p.Text]"), "in:? -> out:Text");
  EXPECT_EQ(outputs("Optional[Union[p.Text, p.Json]]"), "in:? -> out:Json|Text");
  EXPECT_EQ(outputs("list[p.Text]"), "in:? -> out:Text");
  EXPECT_EQ(outputs("tuple[p.Text, ...]"), "in:? -> out:Text");
  EXPECT_EQ(outputs("'Iterator[p.Text]'"), "in:? -> out:Text");
  EXPECT_EQ(outputs("dict[str, p.Text]"), "in:? -> out:?");
}

TEST(PythonSource, WhatFinishSendsCounts) {
  EXPECT_EQ(PortsOfA("class A(Node):\n  def process(self, m) -> None: ...\n  def finish(self) -> Text: ...\n"),
            "in:? -> out:Text");
}

TEST(PythonSource, WhatIsInheritedOrComputedIsNotKnown) {
  EXPECT_EQ(PortsOfA("class B(Node): ...\nclass A(B):\n  def process(self, m: Audio): ...\n"), "none");
  EXPECT_EQ(PortsOfA("class A(Node, Mixin):\n  def process(self, m: Audio): ...\n"), "none");
  EXPECT_EQ(PortsOfA("class A(Node):\n  inputs = make()\n  def process(self, m: Audio): ...\n"), "? -> ?");
  EXPECT_EQ(PortsOfA("class A(Node):\n  @wraps\n  def process(self, m: Audio) -> Text: ...\n"), "? -> out:?");
  EXPECT_EQ(PortsOfA("class A(Node):\n  def process(self, *all) -> Text: ...\n"), "? -> out:?");
  EXPECT_EQ(PortsOfA("class A(Node):\n  if True:\n    def process(self, m: Audio): ...\n"), "? -> ?");
}

TEST(PythonSource, NamesMeanWhatTheyAreImportedAs) {
  EXPECT_EQ(PortsOfA("class A(Node):\n  def process(self, m: Sound): ...\n",
                     "from penstock import (Node,\n  Audio as Sound,\n)\n"),
            "in:Audio -> out:?");
  EXPECT_EQ(PortsOfA("class Audio: ...\nclass A(Node):\n  def process(self, m: Audio): ...\n"), "in:? -> out:?");
  EXPECT_EQ(PortsOfA("class A(Node):\n  def process(self, m: Audio): ...\n",
                     "from other import Audio\nfrom penstock import Node\n"),
            "in:? -> out:?");
}

TEST(PythonSource, StringsCommentsAndContinuedLinesAreNoStatements) {
  EXPECT_EQ(
      PortsOfA(
          "class A(\n    Node\n):\n"
          "  \"\"\"Not a\n  def process(self, x: Text): ...\n  method. \\\"\"\" \"\"\"\n"
          "  # def process(self, y): ...\n"
          "  def process(\n      self, m: \\\n      Audio  # sound\n  ) -> Text:\n    return 'def process(self):'\n"),
      "in:Audio -> out:Text");
}

TEST(PythonSource, RegisteredNamesAreKnownByThem) {
  const auto classes = ReadNodeClasses(
      "import penstock\n\n@penstock.node(\"Ticker\")\nclass A(penstock.Node):\n  def process(self) -> penstock.Text: "
      "...\n");
  ASSERT_TRUE(classes.contains("@Ticker"));
  EXPECT_EQ(classes.at("@Ticker").line, 4);
  EXPECT_EQ(Render(classes.at("@Ticker").ports.outputs), "out:Text");
}

TEST(PythonSource, WhatIsNotPythonIsNotKnown) {
  for (const auto* text :
       {"", "'", "\"\"\"", "class", "class A(", "@", "class A(Node):", "\\", "inputs = {", "from x", ")"}) {
    EXPECT_EQ(PortsOfA(text, "from penstock import Node\n").find("in:"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace penstock::plan
