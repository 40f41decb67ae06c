// text.source and json.source: each line of a file, or of a pipe, as a message.
//
// Params: path. Lines of json.source that are empty are left out; lines of json.source hold a JSON value each.
#pragma once

#include <fstream>
#include <string>

#include "nodes/node.h"

namespace penstock::nodes::sources {

class LineSource final : public Node {
 public:
  /// `kind` is text or json.
  LineSource(const char* node_type, message::Kind kind) : node_type_(node_type), kind_(kind) {}

  auto Setup(const nlohmann::json& params) -> base::Status override;
  /// To the end of the file. While a pipe has nothing, it is waited for: a stop is noticed at the next line.
  /// Errors: kInvalidArgument for a line of json.source that is no JSON, with its number.
  auto Run(Context& context) -> base::Status override;
  /// What comes through a pipe is not there a second time.
  auto replay() const -> Replay override { return replay_; }

 private:
  auto Send(Context& context, const std::string& line) const -> base::Status;

  const char* node_type_;
  message::Kind kind_;
  std::string path_;
  std::ifstream file_;
  Replay replay_ = Replay::kSame;
};

}  // namespace penstock::nodes::sources
