#include "nodes/sources/line_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "nodes/forward.h"
#include "nodes/params.h"

namespace penstock::nodes::sources {
namespace {
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;  // as much as a pipe holds
}  // namespace

auto LineSource::Setup(const nlohmann::json& params) -> base::Status {
  ParamReader reader(node_type_, params);
  path_ = reader.Required<std::string>("path", "a string");
  PENSTOCK_TRY(reader.Finish());
  // A terminal is read, and does not become the worker's own.
  file_ = base::UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file_) return base::SystemError(fmt::format("open '{}' for reading", path_));
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) return base::SystemError(fmt::format("look at '{}'", path_));
  replay_ = S_ISREG(status.st_mode) ? Replay::kSame : Replay::kNew;
  buffer_.resize(kReadBytes);
  return {};
}

auto LineSource::Resume(const nlohmann::json& params) -> base::Status {
  PENSTOCK_TRY(Setup(params));
  if (replay_ == Replay::kSame) return {};
  splitter_.SkipFirst();
  counted_from_ = ", counted from the restart,";
  base::Log(
      base::LogLevel::kWarning,
      "the lines of '{}' that the worker before this one had read and not sent are lost; the next line is left out, "
      "as that worker may have read its beginning",
      path_);
  return {};
}

auto LineSource::Run(Context& context) -> base::Status {
  for (;;) {
    PENSTOCK_ASSIGN(const auto piece, Read(context));
    if (piece.empty()) break;
    splitter_.Feed(piece);
    for (;;) {
      if (context.stop_requested()) return {};
      const auto line = splitter_.Next();
      if (!line) break;
      PENSTOCK_TRY(Handle(context, *line));
    }
  }
  const auto last = splitter_.Last();
  return last && !context.stop_requested() ? Handle(context, *last) : base::Status();
}

// Empty at the end of the file, and when asked to stop.
auto LineSource::Read(Context& context) -> base::Expected<std::string_view> {
  // A named pipe that nobody writes to yet reads as one that has ended: only a wait tells them apart.
  bool is_worth_reading = true;
  if (is_first_read_) {
    PENSTOCK_ASSIGN(is_worth_reading, context.AwaitReadable(file_.get()));
  }
  is_first_read_ = false;
  while (is_worth_reading) {
    const auto count = ::read(file_.get(), buffer_.data(), buffer_.size());
    if (count >= 0) return std::string_view(buffer_).substr(0, static_cast<std::size_t>(count));
    if (errno == EAGAIN) {
      PENSTOCK_ASSIGN(is_worth_reading, context.AwaitReadable(file_.get()));
    } else if (errno != EINTR) {
      return base::SystemError(fmt::format("read '{}'", path_));
    }
  }
  return std::string_view();
}

auto LineSource::Handle(Context& context, std::string_view line) -> base::Status {
  ++number_;
  if (kind_ == message::Kind::kJson) {
    if (line.find_first_not_of(" \t") == std::string_view::npos) return {};
    if (!nlohmann::json::accept(line)) {
      return base::Fail(base::ErrorCode::kInvalidArgument,
                        "line {}{} of '{}' is not JSON: json.source takes one value a line, text.source any text",
                        number_, counted_from_, path_);
    }
  }
  return SendText(context, "out", kind_, line);
}

}  // namespace penstock::nodes::sources
