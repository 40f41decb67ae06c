#include "nodes/sources/line_source.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "nodes/params.h"

namespace penstock::nodes::sources {

auto LineSource::Setup(const nlohmann::json& params) -> base::Status {
  ParamReader reader(node_type_, params);
  path_ = reader.Required<std::string>("path", "a string");
  PENSTOCK_TRY(reader.Finish());
  errno = 0;
  file_.open(path_, std::ios::binary);
  if (!file_) return base::SystemError(fmt::format("open '{}' for reading", path_));
  std::error_code ignored;
  replay_ = std::filesystem::is_regular_file(path_, ignored) ? Replay::kSame : Replay::kNew;
  return {};
}

auto LineSource::Run(Context& context) -> base::Status {
  std::string line;
  for (std::size_t number = 1; !context.stop_requested() && std::getline(file_, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (kind_ == message::Kind::kJson) {
      if (line.find_first_not_of(" \t") == std::string::npos) continue;
      if (!nlohmann::json::accept(line)) {
        return base::Fail(base::ErrorCode::kInvalidArgument,
                          "line {} of '{}' is not JSON: json.source takes one value a line, text.source any text",
                          number, path_);
      }
    }
    PENSTOCK_TRY(Send(context, line));
  }
  if (file_.bad()) return base::SystemError(fmt::format("read '{}'", path_));
  return {};
}

auto LineSource::Send(Context& context, const std::string& line) const -> base::Status {
  PENSTOCK_ASSIGN(auto draft, context.Borrow("out", line.size()));
  draft->header().kind = kind_;
  std::ranges::transform(line, draft->bytes().begin(), [](char c) { return static_cast<std::byte>(c); });
  return context.Publish("out", std::move(draft));
}

}  // namespace penstock::nodes::sources
