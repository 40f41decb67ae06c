#include "plan/port_check.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temporary_directory.h"
#include "manifest/load.h"

namespace penstock::plan {
namespace {

class PortCheckTest : public testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) {
    const auto path = directory_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  auto Errors(const std::string& rest) -> std::string {
    const auto pipeline = manifest::Parse("version: v1\nmetadata: {name: x}\n" + rest, "p.yaml", directory_.path());
    if (!pipeline) return manifest::RenderErrors(pipeline.error());
    HostFacts host;
    host.native_ports["text.sink"] = {.inputs = {{{"in", {{"Json", "Text"}}}}}, .outputs = {{}}};
    host.native_ports["media.source"] = {.inputs = {{}}, .outputs = {{{"out", {{"Audio"}}}}}};
    return manifest::RenderErrors(CheckPorts(*pipeline, host));
  }

  base::testing::TemporaryDirectory directory_;
};

constexpr auto kNodes = R"(
import penstock
from penstock import Audio, Json, Text

class Asr(penstock.Node):
    def process(self, sound: Audio) -> Text: ...

class Fuse(penstock.Node):
    inputs = {"audio": Audio, "speaker": Json}
    def process(self, **one) -> Json: ...
)";

TEST_F(PortCheckTest, TypesThatMeetAreGood) {
  Write("nodes/asr.py", kNodes);

  EXPECT_EQ(Errors(R"(nodes:
  - {id: source, node_type: media.source}
  - {id: asr, node_type: "nodes.asr:Asr"}
  - {id: sink, node_type: text.sink}
connections: [{from: source, to: asr}, {from: asr, to: sink}]
)"),
            "");
}

TEST_F(PortCheckTest, TypesThatDoNotMeetAreErrorsWithBothDeclarations) {
  Write("nodes/asr/__init__.py", kNodes);

  EXPECT_EQ(
      Errors(R"(nodes:
  - {id: source, node_type: media.source}
  - {id: asr, node_type: "nodes.asr:Asr"}
  - {id: again, node_type: "nodes.asr:Asr"}
  - {id: sink, node_type: text.sink}
connections:
  - {from: source, to: asr}
  - {from: asr, to: again}
  - {from: source, to: sink}
)"),
      "p.yaml:10:5: output 'out' of node 'asr' sends Text (nodes/asr/__init__.py:5), but input 'in' of node 'again' "
      "takes Audio (nodes/asr/__init__.py:5): put a node between that makes one of the other, or change an "
      "annotation\n"
      "p.yaml:11:5: output 'out' of node 'source' sends Audio, but input 'in' of node 'sink' takes Json or Text: put "
      "a node between that makes one of the other, or change an annotation\n2 errors\n");
}

TEST_F(PortCheckTest, PortsThatAreNotThereAreErrors) {
  Write("nodes.py", kNodes);

  EXPECT_EQ(Errors(R"(nodes:
  - {id: source, node_type: media.source}
  - {id: fuse, node_type: "nodes:Fuse"}
  - {id: more, node_type: media.source}
connections:
  - {from: source, to: fuse, to_input: audi}
  - {from: source, to: fuse}
  - {from: fuse, to: more, from_output: text}
)"),
            "p.yaml:8:40: node 'fuse' has no input 'audi' (nodes.py:8); did you mean 'audio'?\n"
            "p.yaml:9:5: node 'fuse' has the inputs 'audio', 'speaker' (nodes.py:8): say which one with 'to_input'\n"
            "p.yaml:10:5: node 'more' has no inputs: remove this connection\n"
            "p.yaml:10:41: node 'fuse' has no output 'text' (nodes.py:8); known are 'out'\n4 errors\n");
}

TEST_F(PortCheckTest, WhatIsNotKnownIsGood) {
  Write("nodes.py", "def broken(\n");

  EXPECT_EQ(Errors(R"(nodes:
  - {id: source, node_type: media.source}
  - {id: a, node_type: "nodes:Missing"}
  - {id: b, node_type: "elsewhere:Node"}
  - {id: c, node_type: plugin.node}
connections: [{from: source, to: a, to_input: x}, {from: a, to: b, from_output: y}, {from: b, to: c}]
)"),
            "");
}

TEST_F(PortCheckTest, ANodeOfOnePortNeedsNotNameIt) {
  Write("nodes.py",
        "from penstock import Node, Text\nclass Take(Node):\n    inputs = {'words': Text}\n    def process(self, m): "
        "...\n");

  EXPECT_EQ(Errors(R"(nodes:
  - {id: source, node_type: media.source}
  - {id: take, node_type: "nodes:Take"}
connections: [{from: source, to: take}]
)"),
            "p.yaml:6:15: output 'out' of node 'source' sends Audio, but input 'words' of node 'take' takes Text "
            "(nodes.py:2): put a node between that makes one of the other, or change an annotation\n");
}

TEST_F(PortCheckTest, RegisteredNamesAreFoundInTheModules) {
  Write("named.py",
        "import penstock\n@penstock.node('Ticker')\nclass T(penstock.Node):\n    def process(self) -> penstock.Json: "
        "...\n");
  Write("nodes.py", kNodes);

  EXPECT_EQ(
      Errors(R"(nodes: [{id: tick, node_type: Ticker}, {id: asr, node_type: "nodes:Asr"}]
modules: [nodes, named]
connections: [{from: tick, to: asr}]
)"),
      "p.yaml:5:15: output 'out' of node 'tick' sends Json (named.py:3), but input 'in' of node 'asr' takes Audio "
      "(nodes.py:5): put a node between that makes one of the other, or change an annotation\n");
}

}  // namespace
}  // namespace penstock::plan
