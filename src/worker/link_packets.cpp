// Agent ↔ hosted worker.
#include "worker/packet_json.h"
#include "worker/protocol.h"

namespace penstock::worker {
namespace {

struct Packed {
  auto operator()(const Join& join) const -> nlohmann::json { return Numbered("join", join.number); }
  auto operator()(const End& end) const -> nlohmann::json { return Numbered("end", end.number); }

 private:
  static auto Numbered(const char* type, std::uint64_t number) -> nlohmann::json {
    auto packet = NewPacket(type);
    packet["number"] = number;
    return packet;
  }
};

auto ReadFromHosted(PacketReader& packet) -> std::optional<FromHosted> {
  ObjectReader object(packet);
  if (packet.type() == "shared") return Decided{.shared = true};
  if (packet.type() == "own") return Decided{.shared = false};
  if (packet.type() == "left")
    return Left{.number = object.Integer<std::uint64_t>("number"),
                .code = object.Integer<std::uint8_t>("code"),
                .keeps = object.Boolean("keeps")};
  return std::nullopt;
}

}  // namespace

auto Send(const base::PacketSocket& socket, const ToHosted& message, const std::vector<int>& fds) -> base::Status {
  return SendJson(socket, std::visit(Packed{}, message), fds);
}

auto ParseFromHosted(const base::Packet& packet) -> base::Expected<FromHosted> {
  PacketReader reader(packet.data, packet.fds.size());
  auto message = ReadFromHosted(reader);
  if (!message) return tl::unexpected(reader.UnknownType());
  if (!packet.fds.empty()) reader.Complain(fmt::format("it carries {} descriptors instead of 0", packet.fds.size()));
  PENSTOCK_TRY(reader.Finish());
  return *message;
}

}  // namespace penstock::worker
