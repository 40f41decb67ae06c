// text.source and json.source: each line of a file, or of a pipe, as a message.
//
// Params: path. Lines of json.source that are empty are left out; lines of json.source hold a JSON value each.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "nodes/node.h"
#include "nodes/sources/line_splitter.h"

namespace penstock::nodes::sources {

class LineSource final : public Node {
 public:
  /// `kind` is text or json.
  LineSource(const char* node_type, message::Kind kind) : node_type_(node_type), kind_(kind) {}

  /// Does not wait for who writes to a named pipe: Run does.
  auto Setup(const nlohmann::json& params) -> base::Status override;
  /// Of a pipe what the worker before had read is gone, and that may have ended within a line: what comes up to the
  /// next line end is left out, with a warning.
  auto Resume(const nlohmann::json& params) -> base::Status override;
  /// To the end of the file, or to a stop, also while a pipe has nothing or has nobody yet who writes to it.
  /// Errors: kInvalidArgument for a line of json.source that is no JSON, with its number.
  auto Run(Context& context) -> base::Status override;
  /// What comes through a pipe is not there a second time.
  auto replay() const -> Replay override { return replay_; }

 private:
  auto Read(Context& context) -> base::Expected<std::string_view>;
  auto Handle(Context& context, std::string_view line) -> base::Status;

  const char* node_type_;
  message::Kind kind_;
  std::string path_;
  base::UniqueFd file_;
  Replay replay_ = Replay::kSame;
  std::string buffer_;  // what was read last
  LineSplitter splitter_;
  std::size_t number_ = 0;  // of the line
  bool is_first_read_ = true;
  const char* counted_from_ = "";  // where number_ does not begin at the file's beginning
};

}  // namespace penstock::nodes::sources
