// message.source: one message that was kept in a file, as `penstock quarantine` has them.
//
// Params: path (of a message.bin: header, payload, metadata).
#pragma once

#include <string>

#include "nodes/node.h"

namespace penstock::nodes::sources {

class MessageSource final : public Node {
 public:
  /// Errors: kInvalidArgument for a file that holds no message.
  auto Setup(const nlohmann::json& params) -> base::Status override;
  auto Run(Context& context) -> base::Status override;
  auto replay() const -> Replay override { return Replay::kSame; }

 private:
  message::Header header_;
  std::string chunk_;  // payload, and from its next multiple of 8 the metadata
};

}  // namespace penstock::nodes::sources
