#include "nodes/native/node_context.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace penstock::nodes::native {
namespace {
using base::ErrorCode;
using base::Fail;

// Every Draft is made here, so Publish knows what it gets back.
class OwnDraft : public Draft {
 public:
  virtual auto loan() noexcept -> transport::Loan* = 0;
};

class SharedDraft final : public OwnDraft {
 public:
  explicit SharedDraft(transport::Loan loan) : loan_(std::move(loan)) {}
  auto header() noexcept -> message::Header& override { return loan_.header(); }
  auto bytes() noexcept -> std::span<std::byte> override { return loan_.bytes(); }
  auto loan() noexcept -> transport::Loan* override { return &loan_; }

 private:
  transport::Loan loan_;
};

// For an output that nothing is connected to.
class UnconnectedDraft final : public OwnDraft {
 public:
  UnconnectedDraft(std::uint64_t payload_bytes, std::uint32_t metadata_bytes)
      : size_(static_cast<std::size_t>(message::ChunkBytes(payload_bytes, metadata_bytes))),
        bytes_(static_cast<std::byte*>(::operator new(size_, kAlignment))) {
    header_.payload_bytes = payload_bytes;
    header_.metadata_bytes = metadata_bytes;
  }
  ~UnconnectedDraft() override { ::operator delete(bytes_, kAlignment); }
  auto header() noexcept -> message::Header& override { return header_; }
  auto bytes() noexcept -> std::span<std::byte> override { return {bytes_, size_}; }
  auto loan() noexcept -> transport::Loan* override { return nullptr; }

 private:
  static constexpr std::align_val_t kAlignment{message::kPayloadAlignment};
  message::Header header_;
  std::size_t size_;
  std::byte* bytes_;
};

class TransportReceived final : public Received {
 public:
  explicit TransportReceived(transport::Message message) : message_(std::move(message)) {}
  auto header() const noexcept -> const message::Header& override { return message_.header(); }
  auto payload() const noexcept -> std::span<const std::byte> override { return message_.payload(); }
  auto metadata() const noexcept -> std::string_view override { return message_.metadata(); }
  auto redelivered() const noexcept -> bool override { return message_.redelivered(); }

 private:
  transport::Message message_;
};

constexpr std::uint64_t kMaxUnconnectedBytes = std::numeric_limits<std::int32_t>::max();

}  // namespace

auto NodeContext::Connected(std::string_view output) const -> std::optional<std::size_t> {
  const auto& names = host_.output_ports();
  const auto found = std::find(names.begin(), names.end(), output);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(std::distance(names.begin(), found));
}

auto NodeContext::Borrow(std::string_view output, std::uint64_t payload_bytes, std::uint32_t metadata_bytes)
    -> base::Expected<std::unique_ptr<Draft>> {
  if (const auto index = Connected(output)) {
    PENSTOCK_ASSIGN(auto loan, host_.Borrow(*index, payload_bytes, metadata_bytes));
    return std::make_unique<SharedDraft>(std::move(loan));
  }
  const std::span declared(node_.outputs, node_.output_count);
  if (std::none_of(declared.begin(), declared.end(), [output](const auto& port) { return port.name == output; })) {
    return Fail(ErrorCode::kNotFound, "{} has no output '{}'", node_.name, output);
  }
  if (payload_bytes > kMaxUnconnectedBytes) {
    return Fail(ErrorCode::kInvalidArgument, "a message of {} bytes is larger than output '{}' allows", payload_bytes,
                output);
  }
  return std::make_unique<UnconnectedDraft>(payload_bytes, metadata_bytes);
}

auto NodeContext::Publish(std::string_view output, std::unique_ptr<Draft> draft) -> base::Status {
  auto* own = dynamic_cast<OwnDraft*>(draft.get());
  if (own == nullptr)
    return Fail(ErrorCode::kInvalidArgument, "{} published something at '{}' that it had not borrowed", node_.name,
                output);
  if (own->loan() == nullptr) return {};
  const auto index = Connected(output);
  if (!index) return Fail(ErrorCode::kNotFound, "{} has no output '{}'", node_.name, output);
  return host_.Publish(*index, std::move(*own->loan()));
}

auto NodeContext::was_published(std::string_view output) const -> bool {
  const auto index = Connected(output);
  return index && host_.was_published(*index);
}

auto ToReceived(transport::Message message) -> std::unique_ptr<Received> {
  return std::make_unique<TransportReceived>(std::move(message));
}

}  // namespace penstock::nodes::native
