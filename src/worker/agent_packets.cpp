// Runtime ↔ agent, and the agent's bootstrap.
#include "worker/packet_json.h"
#include "worker/protocol.h"

namespace penstock::worker {
namespace {
using base::ErrorCode;

struct Writer {
  const base::PacketSocket& socket;
  int fd = -1;

  auto operator()(const Lease& lease) const -> base::Status {
    auto packet = NewPacket("lease");
    packet["session"] = lease.session;
    packet["keep_warm_ms"] = lease.keep_warm_ms;
    packet["max_sessions"] = lease.max_sessions;
    return SendJson(socket, packet, {});
  }
  auto operator()(const Spawn& spawn) const -> base::Status {
    if (spawn.fds.size() != spawn.targets.size()) {
      return base::Fail(ErrorCode::kInvalidArgument, "a spawn with {} descriptors for {} targets", spawn.fds.size(),
                        spawn.targets.size());
    }
    auto packet = NewPacket("spawn");
    packet["id"] = spawn.id;
    packet["argv"] = spawn.argv;
    packet["env"] = spawn.env;
    packet["cwd"] = spawn.cwd;
    packet["targets"] = spawn.targets;
    if (!spawn.share.empty()) packet["share"] = spawn.share;
    return SendJson(socket, packet, spawn.fds);
  }
  auto operator()(const Kill& kill) const -> base::Status {
    auto packet = NewPacket("kill");
    packet["id"] = kill.id;
    packet["signal"] = kill.signal;
    return SendJson(socket, packet, {});
  }
  auto operator()(const Ask& /*ask*/) const -> base::Status { return SendJson(socket, NewPacket("ask"), {}); }
  auto operator()(const Granted& granted) const -> base::Status {
    auto packet = NewPacket("granted");
    packet["agent"] = granted.agent;
    packet["pid"] = granted.pid;
    packet["uid"] = granted.uid;
    packet["architecture"] = granted.architecture;
    packet["glibc"] = granted.glibc;
    packet["landlock"] = granted.landlock;
    return SendJson(socket, packet, {});
  }
  auto operator()(const Full& full) const -> base::Status {
    auto packet = NewPacket("full");
    packet["sessions"] = full.sessions;
    return SendJson(socket, packet, {});
  }
  auto operator()(const Standing& standing) const -> base::Status {
    auto packet = NewPacket("standing");
    packet["sessions"] = standing.sessions;
    packet["stays_ms"] = standing.stays_ms;
    return SendJson(socket, packet, {});
  }
  auto operator()(const Spawned& spawned) const -> base::Status {
    auto packet = NewPacket("spawned");
    packet["id"] = spawned.id;
    packet["pid"] = spawned.pid;
    return SendJson(socket, packet, {fd});
  }
  auto operator()(const SpawnFailed& failed) const -> base::Status {
    auto packet = NewPacket("spawn_failed");
    packet["id"] = failed.id;
    packet["error"] = failed.error;
    packet["errno"] = failed.saved_errno;
    return SendJson(socket, packet, {});
  }
  auto operator()(const Exited& exited) const -> base::Status {
    auto packet = NewPacket("exited");
    packet["id"] = exited.id;
    if (exited.code) packet["code"] = *exited.code;
    if (exited.signal) packet["signal"] = *exited.signal;
    packet["core"] = exited.core;
    packet["user_ms"] = exited.user_ms;
    packet["system_ms"] = exited.system_ms;
    packet["max_rss_kb"] = exited.max_rss_kb;
    if (exited.others > 0) packet["others"] = exited.others;
    if (exited.beside > 0) packet["beside"] = exited.beside;
    if (exited.keeps) packet["keeps"] = true;
    auto& full = packet["full"] = nlohmann::json::array();
    for (const auto& [path, bytes] : exited.full) full.push_back({{"path", path}, {"bytes", bytes}});
    return SendJson(socket, packet, {});
  }
};

// Exactly `wanted` descriptors must have come with the packet.
void ExpectDescriptors(PacketReader& packet, std::size_t got, std::size_t wanted) {
  if (got != wanted) packet.Complain(fmt::format("it carries {} descriptors instead of {}", got, wanted));
}

auto ReadLease(PacketReader& packet, ObjectReader object) -> Lease {
  Lease lease{.session = object.String("session"),
              .keep_warm_ms = object.Integer<std::int64_t>("keep_warm_ms"),
              .max_sessions = object.Integer<std::uint32_t>("max_sessions")};
  if (lease.keep_warm_ms < 0) packet.Complain("'keep_warm_ms' is negative");
  if (lease.max_sessions == 0) packet.Complain("'max_sessions' is 0");
  return lease;
}

auto ReadToAgent(PacketReader& packet) -> std::optional<ToAgent> {
  ObjectReader object(packet);
  if (packet.type() == "lease") return ReadLease(packet, object);
  if (packet.type() == "spawn") {
    return Spawn{.id = object.Integer<std::uint64_t>("id"),
                 .argv = object.Strings("argv"),
                 .env = object.StringMap("env"),
                 .cwd = object.String("cwd"),
                 .targets = object.Integers<int>("targets"),
                 .fds = {},
                 .share = object.OptionalString("share").value_or("")};
  }
  if (packet.type() == "ask") return Ask{};
  if (packet.type() == "kill") {
    return Kill{.id = object.Integer<std::uint64_t>("id"), .signal = object.OptionalInteger<int>("signal").value_or(9)};
  }
  return std::nullopt;
}

auto ReadExited(PacketReader& packet, ObjectReader object) -> Exited {
  Exited exited{.id = object.Integer<std::uint64_t>("id"),
                .code = object.OptionalInteger<int>("code"),
                .signal = object.OptionalInteger<int>("signal"),
                .core = object.Boolean("core"),
                .user_ms = object.Integer<std::int64_t>("user_ms"),
                .system_ms = object.Integer<std::int64_t>("system_ms"),
                .max_rss_kb = object.Integer<std::int64_t>("max_rss_kb"),
                .full = {},
                .others = object.OptionalInteger<std::uint32_t>("others").value_or(0),
                .beside = object.OptionalInteger<std::uint32_t>("beside").value_or(0),
                .keeps = object.OptionalBoolean("keeps").value_or(false)};
  object.ForEachIfPresent("full", [&exited](ObjectReader entry) {
    exited.full.push_back({.path = entry.String("path"), .bytes = entry.Integer<std::uint64_t>("bytes")});
  });
  if (exited.code.has_value() == exited.signal.has_value())
    packet.Complain("it has not exactly one of 'code' and 'signal'");
  return exited;
}

auto ReadFromAgent(PacketReader& packet, std::size_t fd_count) -> std::optional<FromAgent> {
  ObjectReader object(packet);
  const auto& type = packet.type();
  if (type == "granted") {
    return Granted{.agent = object.String("agent"),
                   .pid = object.Integer<int>("pid"),
                   .uid = object.Integer<unsigned>("uid"),
                   .architecture = object.String("architecture"),
                   .glibc = object.String("glibc"),
                   .landlock = object.OptionalInteger<int>("landlock").value_or(0)};
  }
  if (type == "full") return Full{.sessions = object.Integer<std::uint32_t>("sessions")};
  if (type == "standing") {
    return Standing{.sessions = object.Integer<std::uint32_t>("sessions"),
                    .stays_ms = object.Integer<std::int64_t>("stays_ms")};
  }
  if (type == "spawned") {
    ExpectDescriptors(packet, fd_count, 1);
    return Spawned{.id = object.Integer<std::uint64_t>("id"), .pid = object.Integer<int>("pid")};
  }
  if (type == "spawn_failed") {
    return SpawnFailed{.id = object.Integer<std::uint64_t>("id"),
                       .error = object.String("error"),
                       .saved_errno = object.Integer<int>("errno")};
  }
  if (type == "exited") return ReadExited(packet, object);
  return std::nullopt;
}

}  // namespace

auto Send(const base::PacketSocket& socket, const ToAgent& message) -> base::Status {
  return std::visit(Writer{socket}, message);
}

auto Send(const base::PacketSocket& socket, const FromAgent& message, int fd) -> base::Status {
  return std::visit(Writer{socket, fd}, message);
}

auto Send(const base::PacketSocket& socket, Listen /*message*/, int fd) -> base::Status {
  return SendJson(socket, NewPacket("listen"), {fd});
}

auto ParseToAgent(base::Packet packet) -> base::Expected<Received<ToAgent>> {
  PacketReader reader(packet.data, packet.fds.size());
  auto message = ReadToAgent(reader);
  if (!message) return tl::unexpected(reader.UnknownType());
  if (const auto* spawn = std::get_if<Spawn>(&*message))
    ExpectDescriptors(reader, packet.fds.size(), spawn->targets.size());
  PENSTOCK_TRY(reader.Finish());
  return Received<ToAgent>{.message = std::move(*message), .fds = std::move(packet.fds)};
}

auto ParseFromAgent(base::Packet packet) -> base::Expected<Received<FromAgent>> {
  PacketReader reader(packet.data, packet.fds.size());
  auto message = ReadFromAgent(reader, packet.fds.size());
  if (!message) return tl::unexpected(reader.UnknownType());
  PENSTOCK_TRY(reader.Finish());
  return Received<FromAgent>{.message = std::move(*message), .fds = std::move(packet.fds)};
}

auto ParseListen(base::Packet packet) -> base::Expected<Received<Listen>> {
  PacketReader reader(packet.data, packet.fds.size());
  if (reader.type() != "listen") return tl::unexpected(reader.UnknownType());
  ExpectDescriptors(reader, packet.fds.size(), 1);
  PENSTOCK_TRY(reader.Finish());
  return Received<Listen>{.message = {}, .fds = std::move(packet.fds)};
}

}  // namespace penstock::worker
