// What a native node sees of its worker's Host.
#pragma once

#include "nodes/host.h"
#include "nodes/node.h"

namespace penstock::nodes::native {

class NodeContext final : public Context {
 public:
  NodeContext(Host& host, const PluginNode& node) : host_(host), node_(node) {}

  auto Borrow(std::string_view output, std::uint64_t payload_bytes, std::uint32_t metadata_bytes)
      -> base::Expected<std::unique_ptr<Draft>> override;
  auto Publish(std::string_view output, std::unique_ptr<Draft> draft) -> base::Status override;
  auto was_published(std::string_view output) const -> bool override;
  auto is_connected(std::string_view output) const -> bool override { return Connected(output).has_value(); }
  auto stop_requested() const noexcept -> bool override { return host_.stop_requested(); }
  auto SleepUntil(base::Deadline::Clock::time_point time) -> bool override { return host_.SleepUntil(time); }
  auto AwaitReadable(int descriptor) -> base::Expected<bool> override { return host_.AwaitReadable(descriptor); }

 private:
  auto Connected(std::string_view output) const -> std::optional<std::size_t>;
  Host& host_;
  const PluginNode& node_;
};

/// A transport message as nodes get it.
auto ToReceived(transport::Message message) -> std::unique_ptr<Received>;

}  // namespace penstock::nodes::native
