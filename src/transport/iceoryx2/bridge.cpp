#include "transport/iceoryx2/bridge.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "transport/fork_guard.h"
#include "transport/iceoryx2/bridge_abi.h"

namespace penstock::transport::iceoryx2 {
namespace {
using base::ErrorCode;
using base::Fail;

auto ToErrorCode(std::int32_t code) -> ErrorCode {
  switch (code) {
    case PB_INVALID:
      return ErrorCode::kInvalidArgument;
    case PB_EXHAUSTED:
      return ErrorCode::kExhausted;
    case PB_CONFLICT:
      return ErrorCode::kConflict;
    case PB_PERMISSION:
      return ErrorCode::kPermission;
    case PB_CORRUPT:
    case PB_PANIC:  // it has found shared memory in a state that its own code does not make
      return ErrorCode::kPeerCorrupt;
    case PB_UNSUPPORTED:
      return ErrorCode::kUnsupported;
    default:
      return ErrorCode::kInternal;
  }
}

[[gnu::cold]] auto Failed(std::int32_t code, const pb_error& error) -> tl::unexpected<base::Error> {
  return Fail(ToErrorCode(code), "{}", error.text);
}

void Forward(std::int32_t level, const char* text, std::size_t length) {
  base::WriteLog(static_cast<base::LogLevel>(level), {text, length});
}

void PrepareOnce() {
  static const bool done = [] {
    pb_install_log(&Forward, std::getenv("PENSTOCK_TRACE_ICEORYX2") == nullptr ? 0 : 1);
    return true;
  }();
  static_cast<void>(done);
}

auto ToAbi(const Service& service) -> pb_service {
  return {service.root.data(), service.root.size(), service.name.data(), service.name.size(),
          service.buffer,      service.history,     service.max_held};
}

}  // namespace

void detail::CloseOutput::operator()(pb_output* handle) const noexcept {
  if (!InForkedChild()) pb_output_close(handle);
}
void detail::CloseInput::operator()(pb_input* handle) const noexcept {
  if (!InForkedChild()) pb_input_close(handle);
}
void detail::DropChunk::operator()(pb_chunk* handle) const noexcept {
  if (!InForkedChild()) pb_loan_drop(handle);
}
void detail::ReleaseSample::operator()(pb_sample* handle) const noexcept {
  if (!InForkedChild()) pb_release(handle);
}

auto Output::Open(const Service& service, const OutputLimits& limits) -> base::Expected<Output> {
  PENSTOCK_TRY(RefuseInForkedChild());
  PrepareOnce();
  const auto abi = ToAbi(service);
  pb_output* handle = nullptr;
  pb_error error;
  if (const auto code =
          pb_output_open(&abi, limits.max_message_bytes, limits.consumers, limits.max_loans, &handle, &error);
      code != PB_OK) {
    return Failed(code, error);
  }
  return Output(handle);
}

auto Output::Layout() const -> base::Expected<ChunkLayout> {
  PENSTOCK_TRY(RefuseInForkedChild());
  pb_layout layout;
  pb_error error;
  if (const auto code = pb_output_layout(handle_.get(), &layout, &error); code != PB_OK) return Failed(code, error);
  return ChunkLayout{.first = reinterpret_cast<const std::byte*>(layout.chunk),
                     .header_bytes = layout.header,
                     .stride = layout.stride,
                     .chunks = layout.chunks};
}

auto Output::Borrow(std::size_t bytes) const -> base::Expected<Chunk> {
  PENSTOCK_TRY(RefuseInForkedChild());
  pb_chunk* handle = nullptr;
  std::uint8_t* payload = nullptr;
  void* header = nullptr;
  pb_error error;
  if (const auto code = pb_loan(handle_.get(), bytes, &handle, &payload, &header, &error); code != PB_OK)
    return Failed(code, error);
  return Chunk{decltype(Chunk::handle)(handle),
               {reinterpret_cast<std::byte*>(payload), bytes},
               static_cast<message::Header*>(header)};
}

auto Output::Send(Chunk chunk) -> base::Expected<std::size_t> {
  PENSTOCK_TRY(RefuseInForkedChild());
  std::size_t recipients = 0;
  pb_error error;
  if (const auto code = pb_send(chunk.handle.release(), &recipients, &error); code != PB_OK) return Failed(code, error);
  return recipients;
}

auto Output::Refresh() const -> base::Status {
  PENSTOCK_TRY(RefuseInForkedChild());
  pb_error error;
  if (const auto code = pb_output_refresh(handle_.get(), &error); code != PB_OK) return Failed(code, error);
  return {};
}

auto Input::Open(const Service& service, std::uint32_t buffer, std::uint32_t history) -> base::Expected<Input> {
  PENSTOCK_TRY(RefuseInForkedChild());
  PrepareOnce();
  const auto abi = ToAbi(service);
  pb_input* handle = nullptr;
  pb_error error;
  if (const auto code = pb_input_open(&abi, buffer, history, &handle, &error); code != PB_OK)
    return Failed(code, error);
  return Input(handle);
}

auto Input::Receive() const -> base::Expected<std::optional<Sample>> {
  PENSTOCK_TRY(RefuseInForkedChild());
  pb_sample* handle = nullptr;
  const std::uint8_t* payload = nullptr;
  const void* header = nullptr;
  std::size_t bytes = 0;
  pb_error error;
  const auto code = pb_receive(handle_.get(), &handle, &payload, &bytes, &header, &error);
  if (code == PB_NONE) return std::nullopt;
  if (code != PB_OK) return Failed(code, error);
  return Sample{decltype(Sample::handle)(handle),
                {reinterpret_cast<const std::byte*>(payload), bytes},
                static_cast<const message::Header*>(header)};
}

auto CleanRealm(const std::string& root) -> base::Expected<CleanReport> {
  PrepareOnce();
  CleanReport report;
  pb_error error;
  if (const auto code = pb_clean(root.data(), root.size(), &report.cleaned, &report.failed, &error); code != PB_OK)
    return Failed(code, error);
  return report;
}

}  // namespace penstock::transport::iceoryx2
