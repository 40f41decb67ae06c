#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace penstock::base {

auto ToString(ErrorCode code) -> std::string_view {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid argument";
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kDeadline:
      return "deadline exceeded";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kPermission:
      return "permission denied";
    case ErrorCode::kExhausted:
      return "exhausted";
    case ErrorCode::kOverQuota:
      return "over quota";
    case ErrorCode::kOverflow:
      return "overflow";
    case ErrorCode::kPeerGone:
      return "peer gone";
    case ErrorCode::kPeerCorrupt:
      return "peer corrupt";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kNodeFailed:
      return "node failed";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

auto Error::At(SourcePosition position) && -> Error {
  position_ = std::move(position);
  return std::move(*this);
}

auto Error::While(std::string attempted) && -> Error {
  context_.push_back(std::move(attempted));
  return std::move(*this);
}

auto Error::ToString() const -> std::string {
  std::string text;
  if (position_) text = fmt::format("{}:{}:{}: ", position_->file, position_->line, position_->column);
  text += message_;
  for (const auto& attempted : context_) text += fmt::format(" (while {})", attempted);
  return text;
}

auto SystemError(std::string attempted, int saved_errno) -> tl::unexpected<Error> {
  const char* name = strerrorname_np(saved_errno);
  const char* description = strerrordesc_np(saved_errno);
  auto code = ErrorCode::kInternal;
  switch (saved_errno) {
    case ENOENT:
      code = ErrorCode::kNotFound;
      break;
    case EACCES:
    case EPERM:
      code = ErrorCode::kPermission;
      break;
    case ENOMEM:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case EDQUOT:
      code = ErrorCode::kExhausted;
      break;
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
      code = ErrorCode::kPeerGone;
      break;
    case ETIMEDOUT:
      code = ErrorCode::kDeadline;
      break;
    case EEXIST:
    case EBUSY:
      code = ErrorCode::kConflict;
      break;
    case EINVAL:
      code = ErrorCode::kInvalidArgument;
      break;
    default:
      break;
  }
  return Fail(code, "cannot {}: {} ({})", attempted, description == nullptr ? "unknown error" : description,
              name == nullptr ? std::to_string(saved_errno) : std::string(name));
}

auto SystemError(std::string attempted) -> tl::unexpected<Error> { return SystemError(std::move(attempted), errno); }

}  // namespace penstock::base
