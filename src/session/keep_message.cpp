#include "session/keep_message.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "base/count.h"
#include "message/header.h"

namespace penstock::session {
namespace {

constexpr std::size_t kPiece = std::size_t{256} * 1024;

// Fills `bytes` as far as the socket has anything before its end.
auto ReadSome(const base::UniqueFd& socket, std::span<std::byte> bytes) -> std::size_t {
  std::size_t got = 0;
  while (got < bytes.size()) {
    const auto count = ::read(socket.get(), bytes.data() + got, bytes.size() - got);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    got += static_cast<std::size_t>(count);
  }
  return got;
}

auto CheckRoom(std::uint64_t bytes, std::uint64_t most, const std::filesystem::path& quarantine) -> base::Status {
  constexpr double kMebibyte = 1 << 20U;
  const auto held = observe::QuarantinedBytes(quarantine);
  if (held + bytes <= most) return {};
  return base::Fail(base::ErrorCode::kExhausted,
                    "the quarantine '{}' holds {:.2f} MiB and may hold {:.2f}, which leaves no room for {}: see "
                    "'penstock quarantine list', give up what is done with by 'penstock quarantine remove', or raise "
                    "--quarantine-size",
                    quarantine.string(), static_cast<double>(held) / kMebibyte, static_cast<double>(most) / kMebibyte,
                    base::Count(bytes, "byte"));
}

}  // namespace

auto KeepMessage(const base::UniqueFd& socket, const KeepLimits& limits, const std::filesystem::path& quarantine,
                 observe::Quarantined entry) -> base::Expected<bool> {
  message::Header header;
  const auto raw = std::as_writable_bytes(std::span(&header, 1));
  if (ReadSome(socket, raw) < raw.size()) return false;
  const auto bytes = message::ChunkBytes(header.payload_bytes, header.metadata_bytes);
  if (header.payload_bytes > limits.chunk_bytes || bytes > limits.chunk_bytes || !message::Validate(header, bytes))
    return false;
  PENSTOCK_TRY(CheckRoom(raw.size() + bytes, limits.quarantine_bytes, quarantine));
  PENSTOCK_ASSIGN(auto writer, observe::QuarantineWriter::Create(quarantine, std::move(entry)));
  PENSTOCK_TRY(writer.Write(raw));
  std::vector<std::byte> piece(std::min<std::uint64_t>(kPiece, bytes));
  for (std::uint64_t left = bytes; left > 0;) {
    const std::span next(piece.data(), std::min<std::uint64_t>(piece.size(), left));
    if (ReadSome(socket, next) < next.size()) return false;
    PENSTOCK_TRY(writer.Write(next));
    left -= next.size();
  }
  PENSTOCK_TRY(writer.Commit());
  return true;
}

}  // namespace penstock::session
