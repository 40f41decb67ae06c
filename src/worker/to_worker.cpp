// Runtime → worker.
#include "worker/packet_json.h"
#include "worker/protocol.h"

namespace penstock::worker {
namespace {
using nlohmann::json;

struct Writer {
  const base::PacketSocket& socket;

  auto operator()(const Configure& configure) const -> base::Status;
  auto operator()(const OpenInputs&) const { return SendJson(socket, NewPacket("open_inputs"), {}); }
  auto operator()(const Connect&) const { return SendJson(socket, NewPacket("connect"), {}); }
  auto operator()(const Start&) const { return SendJson(socket, NewPacket("start"), {}); }
  auto operator()(const Stop&) const { return SendJson(socket, NewPacket("stop"), {}); }
  auto operator()(const Peer& peer) const {
    auto packet = NewPacket("peer");
    packet["edge"] = peer.edge;
    packet["state"] = peer.state == Peer::State::kAttached ? "attached" : "gone";
    return SendJson(socket, packet, {});
  }
  auto operator()(const Grown& grown) const {
    auto packet = NewPacket("grown");
    packet["id"] = grown.id;
    packet["output"] = grown.output;
    packet["every"] = grown.every;
    packet["chunk"] = grown.chunk;
    return SendJson(socket, packet, {});
  }
  auto operator()(const Refused& refused) const {
    auto packet = NewPacket("refused");
    packet["id"] = refused.id;
    packet["message"] = refused.message;
    return SendJson(socket, packet, {});
  }
};

auto WriteEdge(DescriptorList& fds, const EdgeHandle& edge) -> json {
  return json{{"edge", edge.edge},
              {"control", fds.Add(edge.control, "the control block of " + edge.edge)},
              {"bell", fds.Add(edge.bell, "the doorbell of " + edge.edge)}};
}

auto Writer::operator()(const Configure& configure) const -> base::Status {
  auto params = json::parse(configure.params_json, nullptr, /*allow_exceptions=*/false);
  if (!params.is_object()) {
    return base::Fail(base::ErrorCode::kInvalidArgument, "the params of node '{}' are not a JSON object",
                      configure.node);
  }
  DescriptorList fds;
  auto packet = NewPacket("configure");
  packet["session"] = configure.session;
  packet["node"] = configure.node;
  packet["node_type"] = configure.node_type;
  packet["params"] = std::move(params);
  packet["modules"] = configure.modules;
  packet["code"] = configure.code;
  packet["attempt"] = configure.attempt;
  packet["measure_cpu"] = configure.measure_cpu;
  packet["bell"] = fds.Add(configure.bell, "the worker's doorbell");
  packet["realms"] = json::array();
  for (const auto& realm : configure.realms) {
    packet["realms"].push_back(
        {{"number", realm.number}, {"fd", fds.Add(realm.fd, fmt::format("realm {}", realm.number))}});
  }
  packet["outputs"] = json::array();
  for (const auto& output : configure.outputs) {
    json written{{"port", output.port},         {"service", output.service},
                 {"realm", output.realm},       {"max_message_bytes", output.max_message_bytes},
                 {"history", output.history},   {"buffer", output.buffer},
                 {"max_held", output.max_held}, {"epoch", output.epoch}};
    written["edges"] = json::array();
    for (const auto& edge : output.edges) written["edges"].push_back(WriteEdge(fds, edge));
    packet["outputs"].push_back(std::move(written));
  }
  packet["inputs"] = json::array();
  for (const auto& input : configure.inputs) {
    auto written = WriteEdge(fds, input.edge);
    written.update({{"port", input.port},
                    {"service", input.service},
                    {"realm", input.realm},
                    {"max_message_bytes", input.max_message_bytes},
                    {"history", input.history},
                    {"buffer", input.buffer},
                    {"max_held", input.max_held}});
    packet["inputs"].push_back(std::move(written));
  }
  if (configure.quarantine) {
    packet["quarantine"] = {{"input", configure.quarantine->input},
                            {"sequence", configure.quarantine->sequence},
                            {"fd", fds.Add(configure.quarantine->fd, "where a message in quarantine goes")}};
  }
  if (configure.join_tolerance_ns) packet["join"] = {{"tolerance_ns", *configure.join_tolerance_ns}};
  if (configure.restart) {
    packet["restart"] = {{"state", fds.Add(configure.restart->state, "the memory for the node's state")}};
  }
  PENSTOCK_TRY(fds.Check());
  return SendJson(socket, packet, fds.fds());
}

auto ReadEdge(ObjectReader& object) -> EdgeHandle {
  return {.edge = object.String("edge"), .control = object.Descriptor("control"), .bell = object.Descriptor("bell")};
}

auto ReadOutput(ObjectReader object) -> OutputSpec {
  OutputSpec output{.port = object.String("port"),
                    .service = object.String("service"),
                    .realm = object.Integer<int>("realm"),
                    .max_message_bytes = object.Integer<std::uint64_t>("max_message_bytes"),
                    .history = object.Integer<std::uint32_t>("history"),
                    .buffer = object.Integer<std::uint32_t>("buffer"),
                    .max_held = object.Integer<std::uint32_t>("max_held"),
                    .epoch = object.Integer<std::uint32_t>("epoch"),
                    .edges = {}};
  object.ForEach("edges", [&](ObjectReader edge) { output.edges.push_back(ReadEdge(edge)); });
  return output;
}

auto ReadInput(ObjectReader object) -> InputSpec {
  return {.port = object.String("port"),
          .edge = ReadEdge(object),
          .service = object.String("service"),
          .realm = object.Integer<int>("realm"),
          .max_message_bytes = object.Integer<std::uint64_t>("max_message_bytes"),
          .history = object.Integer<std::uint32_t>("history"),
          .buffer = object.Integer<std::uint32_t>("buffer"),
          .max_held = object.Integer<std::uint32_t>("max_held")};
}

auto ReadConfigure(ObjectReader object) -> Configure {
  Configure configure{.session = object.String("session"),
                      .node = object.String("node"),
                      .node_type = object.String("node_type"),
                      .params_json = object.ObjectText("params"),
                      .modules = object.Strings("modules"),
                      .code = object.String("code"),
                      .attempt = object.Integer<std::uint32_t>("attempt"),
                      .measure_cpu = object.Boolean("measure_cpu"),
                      .bell = object.Descriptor("bell"),
                      .realms = {},
                      .outputs = {},
                      .inputs = {}};
  object.ForEach("realms", [&](ObjectReader realm) {
    configure.realms.push_back({.number = realm.Integer<int>("number"), .fd = realm.Descriptor("fd")});
  });
  object.ForEach("outputs", [&](ObjectReader output) { configure.outputs.push_back(ReadOutput(std::move(output))); });
  object.ForEach("inputs", [&](ObjectReader input) { configure.inputs.push_back(ReadInput(std::move(input))); });
  if (auto quarantine = object.OptionalObject("quarantine")) {
    configure.quarantine = Quarantine{.input = quarantine->Integer<std::uint32_t>("input"),
                                      .sequence = quarantine->Integer<std::uint64_t>("sequence"),
                                      .fd = quarantine->Descriptor("fd")};
  }
  if (auto join = object.OptionalObject("join"))
    configure.join_tolerance_ns = join->Integer<std::int64_t>("tolerance_ns");
  if (auto restart = object.OptionalObject("restart")) {
    configure.restart = Restartable{.state = restart->Descriptor("state")};
  }
  return configure;
}

auto ReadPeer(PacketReader& packet, ObjectReader object) -> Peer {
  Peer peer{.edge = object.String("edge")};
  const auto state = object.String("state");
  if (state == "gone") {
    peer.state = Peer::State::kGone;
  } else if (state != "attached") {
    packet.Complain(fmt::format("'state' is neither 'attached' nor 'gone' but '{}'", state));
  }
  return peer;
}

auto Read(PacketReader& packet) -> std::optional<ToWorker> {
  ObjectReader object(packet);
  const auto& type = packet.type();
  if (type == "configure") return ReadConfigure(object);
  if (type == "open_inputs") return OpenInputs{};
  if (type == "connect") return Connect{};
  if (type == "start") return Start{};
  if (type == "stop") return Stop{};
  if (type == "peer") return ReadPeer(packet, object);
  if (type == "grown") {
    return Grown{.id = object.Integer<std::uint64_t>("id"),
                 .output = object.Integer<std::uint32_t>("output"),
                 .every = object.Integer<std::uint64_t>("every"),
                 .chunk = object.Integer<std::uint64_t>("chunk")};
  }
  if (type == "refused") return Refused{.id = object.Integer<std::uint64_t>("id"), .message = object.String("message")};
  return std::nullopt;
}

}  // namespace

auto Send(const base::PacketSocket& socket, const ToWorker& message) -> base::Status {
  return std::visit(Writer{socket}, message);
}

auto ParseToWorker(base::Packet packet) -> base::Expected<Received<ToWorker>> {
  PacketReader reader(packet.data, packet.fds.size());
  auto message = Read(reader);
  if (!message) return tl::unexpected(reader.UnknownType());
  PENSTOCK_TRY(reader.Finish());
  return Received<ToWorker>{.message = std::move(*message), .fds = std::move(packet.fds)};
}

}  // namespace penstock::worker
