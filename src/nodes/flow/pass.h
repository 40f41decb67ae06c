// flow.merge and flow.tee: several connections into one, and one into several.
//
// A message is copied, payload and metadata, for each output that something is connected to. Neither is needed where
// an input or output may have several connections of its own: an output gives all its consumers the same memory.
#pragma once

#include <array>

#include "nodes/node.h"

namespace penstock::nodes::flow {

/// Passes messages on in the order in which they come. Of several connections with messages waiting each has its turn.
class Merge final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override;
  auto Process(Context& context, std::string_view input, std::unique_ptr<Received> message) -> base::Status override;
};

inline constexpr auto kTeeOutputs = std::to_array<PluginPort>({{"out0", "Any"},
                                                               {"out1", "Any"},
                                                               {"out2", "Any"},
                                                               {"out3", "Any"},
                                                               {"out4", "Any"},
                                                               {"out5", "Any"},
                                                               {"out6", "Any"},
                                                               {"out7", "Any"}});

/// Sends each message at every connected output, in their order. One without room holds the later ones up.
class Tee final : public Node {
 public:
  auto Setup(const nlohmann::json& params) -> base::Status override;
  auto Process(Context& context, std::string_view input, std::unique_ptr<Received> message) -> base::Status override;
};

}  // namespace penstock::nodes::flow
