// Worker → runtime.
#include "worker/packet_json.h"
#include "worker/protocol.h"

namespace penstock::worker {
namespace {

struct Writer {
  const base::PacketSocket& socket;

  auto operator()(const Hello& hello) const {
    auto packet = NewPacket("hello");
    packet["pid"] = hello.pid;
    packet["language"] = hello.language;
    packet["version"] = hello.version;
    packet["sdk"] = hello.sdk;
    packet["executable"] = hello.executable;
    return SendJson(socket, packet, {});
  }
  auto operator()(const OutputsOpen& opened) const -> base::Status {
    DescriptorList fds;
    auto packet = NewPacket("outputs_open");
    packet["segments"] = nlohmann::json::array();
    for (const auto& segment : opened.segments) {
      packet["segments"].push_back({{"fd", fds.Add(segment.fd, "an output's segment")},
                                    {"first", segment.first},
                                    {"stride", segment.stride},
                                    {"header", segment.header_bytes},
                                    {"chunks", segment.chunks}});
    }
    PENSTOCK_TRY(fds.Check());
    return SendJson(socket, packet, fds.fds());
  }
  auto operator()(const InputsOpen&) const { return SendJson(socket, NewPacket("inputs_open"), {}); }
  auto operator()(const Connected&) const { return SendJson(socket, NewPacket("connected"), {}); }
  auto operator()(const Ready& ready) const {
    auto packet = NewPacket("ready");
    packet["inputs"] = ready.inputs;
    packet["outputs"] = ready.outputs;
    return SendJson(socket, packet, {});
  }
  auto operator()(const Grow& grow) const {
    auto packet = NewPacket("grow");
    packet["id"] = grow.id;
    packet["output"] = grow.output;
    packet["chunk"] = grow.chunk;
    packet["bytes"] = grow.bytes;
    return SendJson(socket, packet, {});
  }
  auto operator()(const Finished&) const { return SendJson(socket, NewPacket("finished"), {}); }
  auto operator()(const Failed& failed) const { return SendJson(socket, WriteFailed(failed), {}); }

  static auto WriteFailed(const Failed& failed) -> nlohmann::json;
};

// A message of megabytes would not fit a packet, and the failure would be lost altogether. JSON may need six bytes for
// one, so these sum up to well below the packet's limit.
constexpr std::size_t kMaxErrorBytes = 1024;
constexpr std::size_t kMaxMessageBytes = 8 * 1024;
constexpr std::size_t kMaxTracebackBytes = 16 * 1024;

auto KeepStart(const std::string& text, std::size_t limit) -> std::string {
  return text.size() <= limit ? text : text.substr(0, limit) + " …";
}

// A traceback's last lines say what happened.
auto KeepEnd(const std::string& text, std::size_t limit) -> std::string {
  return text.size() <= limit ? text : "… " + text.substr(text.size() - limit);
}

auto Writer::WriteFailed(const Failed& failed) -> nlohmann::json {
  auto packet = NewPacket("failed");
  packet["phase"] = failed.phase;
  packet["error"] = KeepStart(failed.error, kMaxErrorBytes);
  packet["message"] = KeepStart(failed.message, kMaxMessageBytes);
  packet["traceback"] = KeepEnd(failed.traceback, kMaxTracebackBytes);
  if (failed.edge) packet["edge"] = *failed.edge;
  if (failed.sequence) packet["sequence"] = *failed.sequence;
  return packet;
}

auto ReadOutputsOpen(ObjectReader object) -> OutputsOpen {
  OutputsOpen opened;
  object.ForEach("segments", [&](ObjectReader segment) {
    opened.segments.push_back({.fd = segment.Descriptor("fd"),
                               .first = segment.Integer<std::uint64_t>("first"),
                               .stride = segment.Integer<std::uint64_t>("stride"),
                               .header_bytes = segment.Integer<std::uint64_t>("header"),
                               .chunks = segment.Integer<std::uint32_t>("chunks")});
  });
  return opened;
}

auto Read(PacketReader& packet) -> std::optional<FromWorker> {
  ObjectReader object(packet);
  const auto& type = packet.type();
  if (type == "hello") {
    return Hello{.pid = object.Integer<int>("pid"),
                 .language = object.String("language"),
                 .version = object.String("version"),
                 .sdk = object.String("sdk"),
                 .executable = object.String("executable")};
  }
  if (type == "outputs_open") return ReadOutputsOpen(object);
  if (type == "inputs_open") return InputsOpen{};
  if (type == "connected") return Connected{};
  if (type == "ready") return Ready{.inputs = object.StringMap("inputs"), .outputs = object.StringMap("outputs")};
  if (type == "grow") {
    return Grow{.id = object.Integer<std::uint64_t>("id"),
                .output = object.Integer<std::uint32_t>("output"),
                .chunk = object.Integer<std::uint32_t>("chunk"),
                .bytes = object.Integer<std::uint64_t>("bytes")};
  }
  if (type == "finished") return Finished{};
  if (type == "failed") {
    return Failed{.phase = object.String("phase"),
                  .error = object.String("error"),
                  .message = object.String("message"),
                  .traceback = object.String("traceback"),
                  .edge = object.OptionalString("edge"),
                  .sequence = object.OptionalInteger<std::uint64_t>("sequence")};
  }
  return std::nullopt;
}

}  // namespace

auto Send(const base::PacketSocket& socket, const FromWorker& message) -> base::Status {
  return std::visit(Writer{socket}, message);
}

auto ParseFromWorker(base::Packet packet) -> base::Expected<Received<FromWorker>> {
  PacketReader reader(packet.data, packet.fds.size());
  auto message = Read(reader);
  if (!message) return tl::unexpected(reader.UnknownType());
  PENSTOCK_TRY(reader.Finish());
  return Received<FromWorker>{.message = std::move(*message), .fds = std::move(packet.fds)};
}

}  // namespace penstock::worker
