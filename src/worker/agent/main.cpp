// penstock-agent: the first process of every container, and the parent of the host's workers.
//
//   penstock-agent --bootstrap PATH   fetches the descriptor that it listens at from the Unix socket PATH
//   penstock-agent --lease FD         serves the one lease at descriptor FD
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/log.h"
#include "worker/agent/agent.h"

namespace penstock::worker::agent {
namespace {

constexpr std::chrono::seconds kBootstrap{30};

auto Bootstrap(const std::string& path) -> base::Expected<Agent::Listening> {
  const auto deadline = base::Deadline::In(kBootstrap);
  PENSTOCK_ASSIGN(const auto socket, base::PacketSocket::Connect(path, deadline));
  PENSTOCK_ASSIGN(auto packet, socket.Receive(deadline));
  PENSTOCK_ASSIGN(auto received, ParseListen(std::move(packet)));
  PENSTOCK_ASSIGN(const auto peer, socket.Credentials());
  auto& listener = received.fds.front();
  // Other holders' accepts must not make ours block: the mode belongs to the open file, which all holders share.
  if (::fcntl(listener.get(), F_SETFL, O_NONBLOCK) != 0) return base::SystemError("make the listener non-blocking");
  return Agent::Listening{.listener = std::move(listener), .owner = peer.uid};
}

auto Serve(std::string_view mode, const std::string& where) -> base::Status {
  PENSTOCK_ASSIGN(const auto agent, Agent::Create());
  if (mode == "--bootstrap") {
    auto listening = Bootstrap(where);
    if (!listening)
      return tl::unexpected(std::move(listening).error().While(fmt::format("fetching the listener from '{}'", where)));
    PENSTOCK_TRY(agent->Listen(std::move(*listening)));
  } else {
    int fd = -1;
    const auto [end, error] = std::from_chars(where.data(), where.data() + where.size(), fd);
    if (error != std::errc() || end != where.data() + where.size() || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      return base::Fail(base::ErrorCode::kInvalidArgument, "'{}' is not an open descriptor", where);
    }
    ::setsid();  // out of the reach of the terminal's signals; refused, harmlessly, for a group leader
    PENSTOCK_TRY(agent->ServeOnly(base::PacketSocket(base::UniqueFd(fd))));
  }
  agent->Run();
  return {};
}

}  // namespace
}  // namespace penstock::worker::agent

auto main(int argc, char** argv) -> int {
  const std::string_view mode = argc == 3 ? argv[1] : "";
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("penstock-agent " PENSTOCK_VERSION);
    return 0;
  }
  if (mode != "--bootstrap" && mode != "--lease") {
    std::fputs("usage: penstock-agent --bootstrap PATH | --lease FD | --version\n", stderr);
    return 2;
  }
  if (const auto served = penstock::worker::agent::Serve(mode, argv[2]); !served) {
    std::fprintf(stderr, "penstock-agent: %s\n", served.error().ToString().c_str());
    return 1;
  }
  return 0;
}
