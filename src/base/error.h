// What went wrong, as a value: a code for programs, a sentence for people, and the trail of what was being attempted.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace penstock::base {

enum class ErrorCode {
  kInvalidArgument,  // the caller (or the user's manifest) is wrong; retrying cannot help
  kNotFound,
  kConflict,     // exists already, or is in a state that does not allow this
  kDeadline,     // the deadline passed first
  kCancelled,    // asked to stop
  kUnavailable,  // the environment is missing something: engine, image, kernel feature, host package
  kPermission,
  kExhausted,    // memory, disk, slots, descriptors
  kOverQuota,    // shared memory beyond what the manifest, or this host, has for it
  kOverflow,     // a full queue whose policy is to fail
  kPeerGone,     // the process at the other end has ended
  kPeerCorrupt,  // shared memory or a packet that fails its checks
  kUnsupported,
  kNodeFailed,  // user code raised or its process died
  kInternal,
};

auto ToString(ErrorCode code) -> std::string_view;

struct SourcePosition {
  std::string file;
  int line = 0;  // 1-based
  int column = 0;
};

class Error final {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  auto code() const noexcept -> ErrorCode { return code_; }
  /// The sentence: what happened, where, and what to do about it.
  auto message() const noexcept -> const std::string& { return message_; }
  auto position() const noexcept -> const std::optional<SourcePosition>& { return position_; }

  auto At(SourcePosition position) && -> Error;
  /// Adds what was being attempted, outermost last: "starting node 'asr'".
  auto While(std::string attempted) && -> Error;
  /// `file:line:column: message (while …; while …)`.
  auto ToString() const -> std::string;

 private:
  ErrorCode code_;
  std::string message_;
  std::vector<std::string> context_;
  std::optional<SourcePosition> position_;
};

template <class T>
using Expected = tl::expected<T, Error>;
using Status = Expected<void>;

/// `return Fail(ErrorCode::kNotFound, "no node is called '{}'", id);`
template <class... Args>
auto Fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) -> tl::unexpected<Error> {
  return tl::unexpected<Error>(Error(code, fmt::format(format, std::forward<Args>(args)...)));
}

/// From errno (or `saved_errno`): "cannot open '/x': No such file or directory (ENOENT)".
auto SystemError(std::string attempted, int saved_errno) -> tl::unexpected<Error>;
auto SystemError(std::string attempted) -> tl::unexpected<Error>;

}  // namespace penstock::base

// Returns the error of `expression` from the enclosing function, or goes on.
#define PENSTOCK_TRY(expression)                                      \
  do {                                                                \
    auto penstock_status = (expression);                              \
    if (!penstock_status) [[unlikely]]                                \
      return tl::make_unexpected(std::move(penstock_status).error()); \
  } while (false)

#define PENSTOCK_CONCAT_INNER(a, b) a##b
#define PENSTOCK_CONCAT(a, b) PENSTOCK_CONCAT_INNER(a, b)
#define PENSTOCK_ASSIGN_INNER(name, declaration, expression) \
  auto name = (expression);                                  \
  if (!name) [[unlikely]]                                    \
    return tl::make_unexpected(std::move(name).error());     \
  declaration = std::move(*name)

// PENSTOCK_ASSIGN(auto fd, Open(path)); declares fd, or returns the error from the enclosing function.
#define PENSTOCK_ASSIGN(declaration, expression) \
  PENSTOCK_ASSIGN_INNER(PENSTOCK_CONCAT(penstock_expected_, __LINE__), declaration, expression)
