#include "nodes/port_set.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace penstock::nodes {
namespace {
using base::ErrorCode;
using base::Fail;
using Descriptors = std::vector<base::UniqueFd>;

// The parser has checked that indices are in range and used once.
auto Take(Descriptors& fds, int index) -> base::UniqueFd { return std::move(fds[static_cast<std::size_t>(index)]); }

auto PlaceRealms(const std::vector<worker::RealmHandle>& realms, Descriptors& fds) -> base::Expected<Descriptors> {
  int above = 3;
  for (const auto& realm : realms) above = std::max(above, realm.number + 1);
  // A received descriptor may sit at a number that a realm needs.
  for (auto& fd : fds) {
    const bool in_the_way =
        std::any_of(realms.begin(), realms.end(), [&](const auto& realm) { return realm.number == fd.get(); });
    if (!in_the_way) continue;
    const int moved = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, above);
    if (moved < 0) return base::SystemError("move a descriptor out of a realm's way");
    fd.reset(moved);
  }
  Descriptors placed;
  for (const auto& realm : realms) {
    if (realm.number < 3 || ::fcntl(realm.number, F_GETFD) >= 0) {
      return Fail(
          ErrorCode::kConflict,
          "descriptor {}, at which shared memory belongs, is in use in this process: it holds very many files or "
          "sockets open, or uses numbers of its own choice. Raise docker.resource_limits.nofile of the node, or "
          "let its code hold fewer open",
          realm.number);
    }
    PENSTOCK_ASSIGN(auto fd, base::MoveTo(Take(fds, realm.fd), realm.number));
    placed.push_back(std::move(fd));
  }
  return placed;
}

auto IndexOf(std::vector<std::string>& names, const std::string& name) -> std::size_t {
  const auto found = std::find(names.begin(), names.end(), name);
  const auto index = static_cast<std::size_t>(std::distance(names.begin(), found));
  if (found == names.end()) names.push_back(name);
  return index;
}

auto MapBlock(Descriptors& fds, const worker::EdgeHandle& edge) -> base::Expected<transport::ControlBlock> {
  auto block = transport::ControlBlock::Map(Take(fds, edge.control));
  if (!block)
    return tl::unexpected(
        std::move(block).error().While(fmt::format("mapping the control block of edge '{}'", edge.edge)));
  return block;
}

auto MapBell(Descriptors& fds, const worker::EdgeHandle& edge) -> base::Expected<transport::Doorbell> {
  auto bell = transport::Doorbell::Map(Take(fds, edge.bell));
  if (!bell)
    return tl::unexpected(std::move(bell).error().While(fmt::format("mapping the doorbell of edge '{}'", edge.edge)));
  return bell;
}

auto OutputOptions(const worker::OutputSpec& spec, Descriptors& fds, transport::ChunkMemory& memory)
    -> base::Expected<transport::OutputPortOptions> {
  transport::OutputPortOptions options{.service = spec.service,
                                       .realm_number = spec.realm,
                                       .max_message_bytes = spec.max_message_bytes,
                                       .history = spec.history,
                                       .buffer = spec.buffer,
                                       .max_held = spec.max_held,
                                       .epoch = spec.epoch,
                                       .edges = {},
                                       .memory = &memory};
  for (const auto& edge : spec.edges) {
    PENSTOCK_ASSIGN(auto control, MapBlock(fds, edge));
    PENSTOCK_ASSIGN(auto bell, MapBell(fds, edge));
    options.edges.push_back({.id = edge.edge, .control = std::move(control), .consumer = std::move(bell)});
  }
  return options;
}

auto InputOptions(const worker::InputSpec& spec, Descriptors& fds) -> base::Expected<transport::InputPortOptions> {
  PENSTOCK_ASSIGN(auto control, MapBlock(fds, spec.edge));
  PENSTOCK_ASSIGN(auto bell, MapBell(fds, spec.edge));
  return transport::InputPortOptions{.id = spec.edge.edge,
                                     .service = spec.service,
                                     .realm_number = spec.realm,
                                     .history = spec.history,
                                     .buffer = spec.buffer,
                                     .max_held = spec.max_held,
                                     .max_message_bytes = spec.max_message_bytes,
                                     .control = std::move(control),
                                     .producer = std::move(bell)};
}

// Streams are closed when everything is sent, one after the other.
auto AnyIsClosed(const std::vector<transport::OutputPortOptions>& outputs) -> bool {
  return std::any_of(outputs.begin(), outputs.end(), [](const auto& output) {
    return std::any_of(output.edges.begin(), output.edges.end(),
                       [](const auto& edge) { return edge.control->closed != 0; });
  });
}

}  // namespace

auto PortSet::Prepare(const worker::Configure& configure, Descriptors fds, MemoryRequests::AroundWait around_wait)
    -> base::Expected<std::unique_ptr<PortSet>> {
  base::RaiseDescriptorLimit();  // a port takes about fourteen, and realms sit at 400 and above
  PENSTOCK_ASSIGN(auto realms, PlaceRealms(configure.realms, fds));
  PENSTOCK_ASSIGN(auto bell, transport::Doorbell::Map(Take(fds, configure.bell)));
  std::unique_ptr<PortSet> ports(new PortSet(std::move(bell), configure.outputs.size(), std::move(around_wait)));
  ports->realms_ = std::move(realms);
  if (configure.quarantine) ports->quarantine_ = Take(fds, configure.quarantine->fd);
  if (configure.restart) {
    PENSTOCK_ASSIGN(ports->state_, transport::StateMemory::Map(Take(fds, configure.restart->state),
                                                               configure.inputs.size(), configure.outputs.size()));
  }
  for (const auto& spec : configure.outputs) {
    PENSTOCK_ASSIGN(auto options, OutputOptions(spec, fds, ports->memory_.of(ports->output_options_.size())));
    ports->output_options_.push_back(std::move(options));
    ports->output_names_.push_back(spec.port);
    auto& edges = ports->output_edges_.emplace_back();
    for (const auto& edge : spec.edges) edges.push_back(edge.edge);
  }
  for (const auto& spec : configure.inputs) {
    PENSTOCK_ASSIGN(auto options, InputOptions(spec, fds));
    ports->input_options_.push_back(std::move(options));
    ports->inputs_.push_back(std::make_unique<InputEdge>());
    ports->inputs_.back()->port = IndexOf(ports->input_names_, spec.port);
  }
  return ports;
}

auto PortSet::OpenOutputs() -> base::Status {
  ended_before_ = inputs_.empty() && AnyIsClosed(output_options_);
  for (auto& options : std::exchange(output_options_, {})) {
    PENSTOCK_ASSIGN(auto output, transport::OutputPort::Open(std::move(options), bell_));
    if (ended_before_) output->Close();  // at once, so that a successor knows it too
    outputs_.push_back(std::move(output));
  }
  return {};
}

auto PortSet::DescribeOutputs() const -> worker::OutputsOpen {
  worker::OutputsOpen opened;
  for (const auto& output : outputs_) {
    const auto& [fd, layout, base] = output->segment();
    opened.segments.push_back({.fd = fd.get(),
                               .first = layout.first,
                               .stride = layout.stride,
                               .header_bytes = layout.header_bytes,
                               .chunks = layout.chunks});
  }
  return opened;
}

auto PortSet::OpenInputs() -> base::Status {
  auto all = std::exchange(input_options_, {});
  for (std::size_t i = 0; i < all.size(); ++i) {
    PENSTOCK_ASSIGN(inputs_[i]->input, transport::InputPort::Open(std::move(all[i])));
  }
  return {};
}

auto PortSet::Connect() -> base::Status {
  // A consumer that had attached may have ended since: when its successor attaches, PeerAttached has what it missed.
  for (const auto& output : outputs_) PENSTOCK_TRY(output->Refresh());
  return {};
}

auto PortSet::OutputOf(std::string_view edge) -> transport::OutputPort* {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const auto& edges = output_edges_[i];
    if (std::find(edges.begin(), edges.end(), edge) != edges.end()) return outputs_[i].get();
  }
  return nullptr;
}

void PortSet::PeerAttached(std::string_view edge) {
  // Failure shows when the node publishes next, with the same reason.
  if (auto* output = OutputOf(edge)) static_cast<void>(output->Refresh());
}

void PortSet::PeerGone(std::string_view edge) {
  if (auto* output = OutputOf(edge)) output->GiveUp(edge);
  for (const auto& input : inputs_) {
    if (input->input && input->input->id() == edge) input->given_up.store(true, std::memory_order_release);
  }
  bell_.arrivals().Ring();
}

void PortSet::Interrupt() noexcept {
  for (const auto& output : outputs_) output->Interrupt();
  memory_.Interrupt();
  bell_.arrivals().Ring();
}

}  // namespace penstock::nodes
