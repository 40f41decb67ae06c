// penstock-probe: looks into the container in which it is the first process, and prints what it finds as one line of
// JSON. It judges nothing: that is the host's (src/image/image_check.h). Its argument, if any, is the Python to look at
// in place of the one that nodes would have.
//
// Static like the agent, so that it also runs where there is no Python, no shell and no C library.
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "base/command.h"
#include "base/excerpt.h"
#include "base/packet_socket.h"
#include "base/unique_fd.h"
#include "worker/agent/image_libc.h"
#include "worker/protocol.h"

namespace penstock::worker::probe {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::chrono::seconds kPython{30};  // a first import of numpy reads some megabytes
constexpr std::chrono::seconds kAgent{10};
constexpr const char* kSdk = "/opt/penstock/python";
constexpr const char* kAgentProgram = "/opt/penstock/penstock-agent";
// Of what the interpreter says besides, whose packages may say anything.
constexpr std::size_t kFirstOutput = 500;
constexpr std::size_t kLastOutput = 1500;
constexpr std::string_view kMark = "::python ";

// Every finding is printed at once, so that an import that ends the process leaves those before it. For any Python 3.
constexpr auto kScript = R"(
import json, os, sys, sysconfig
def tell(**facts):
    sys.stdout.write("::python " + json.dumps(facts) + "\n")
    sys.stdout.flush()
def libc():
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        return ""
tell(executable=sys.executable, version="%d.%d" % sys.version_info[:2], full="%d.%d.%d" % sys.version_info[:3],
     implementation=sys.implementation.name, debug=hasattr(sys, "gettotalrefcount"),
     free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")), libc=libc())
try:
    import numpy
    tell(numpy=str(numpy.__version__))
except ImportError as error:
    # Not there, or there and broken.
    tell(numpy="", numpy_problem="" if getattr(error, "name", "") == "numpy" else str(error))
except Exception as error:
    tell(numpy="", numpy_problem=str(error))
try:
    import penstock._core
    tell(extension=True)
except Exception as error:
    tell(extension=False, extension_problem="%s: %s" % (type(error).__name__, error))
)";

// The first of PATH that can be run; or the first that is there and cannot.
void FindPython(json& facts) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const auto program = fs::path(folder) / "python3";
    if (::access(program.c_str(), X_OK) == 0) {
      facts["python"] = program.string();
      return;
    }
    const bool hidden = errno == EACCES;
    if (hidden && !facts.contains("refused")) facts["refused"] = program.string();
  }
}

void TakePython(const char* program, json& facts) {
  json of_path;
  FindPython(of_path);
  facts["asked"] = program;
  facts["in_path"] = of_path.value("python", "");
  if (::access(program, X_OK) == 0) {
    facts["python"] = program;
  } else if (errno == EACCES) {
    facts["refused"] = program;
  }
}

void AskPython(json& facts) {
  const auto python = facts["python"].get<std::string>();
  base::Excerpt output(kFirstOutput, kLastOutput);
  const auto status = base::RunCommand(
      {python, "-c", kScript},
      [&](std::string_view line) {
        if (!line.starts_with(kMark)) {
          output.Add(line);
          output.Add("\n");
          return;
        }
        const auto found = json::parse(line.substr(kMark.size()), nullptr, false);
        if (found.is_object()) facts.update(found);
      },
      base::Deadline::In(kPython));
  if (status && *status == 0) return;
  facts["python_problem"] =
      status ? fmt::format("it ended with status {}\n{}", *status, output.Show()) : status.error().ToString();
}

auto Libc() -> std::string {
  if (const auto glibc = agent::ImageGlibcVersion(); !glibc.empty()) return "glibc " + glibc;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/lib", error)) {
    if (entry.path().filename().string().starts_with("ld-musl-")) return "musl";
  }
  return {};
}

auto WriteProblem(const char* folder) -> std::string {
  auto name = fmt::format("{}/penstock-probe-XXXXXX", folder);
  const base::UniqueFd file(::mkstemp(name.data()));
  if (!file) return base::SystemError(fmt::format("make a file in {}", folder)).value().message();
  ::unlink(name.c_str());
  return {};
}

// A real agent, asked for a real lease.
auto StartAgent() -> base::Status {
  PENSTOCK_ASSIGN(auto sockets, base::PacketSocket::Pair());
  auto& [ours, theirs] = sockets;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.fd().get(), 3);
  std::array<char*, 4> argv{const_cast<char*>(kAgentProgram), const_cast<char*>("--lease"), const_cast<char*>("3"),
                            nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, kAgentProgram, &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return base::SystemError(fmt::format("start '{}'", kAgentProgram), failed);
  theirs.Close();
  const auto granted = [&ours]() -> base::Status {
    PENSTOCK_TRY(Send(ours, ToAgent(Lease{.session = "probe"})));
    PENSTOCK_ASSIGN(auto packet, ours.Receive(base::Deadline::In(kAgent)));
    PENSTOCK_ASSIGN(const auto answer, ParseFromAgent(std::move(packet)));
    if (std::holds_alternative<Granted>(answer.message)) return {};
    return base::Fail(base::ErrorCode::kPeerCorrupt, "it answered with something else than a lease");
  }();
  ours.Close();
  if (!granted) ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  return granted;
}

auto Main(const char* python) -> int {
  ::setenv("PYTHONPATH", kSdk, 1);
  ::setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  ::setenv("HOME", "/tmp", 1);
  json facts{{"user", ::getuid()}, {"system_libc", Libc()}, {"tmp_problem", WriteProblem("/tmp")}};
  python == nullptr ? FindPython(facts) : TakePython(python, facts);
  if (facts.contains("python")) AskPython(facts);
  const auto agent = StartAgent();
  facts["agent_problem"] = agent ? std::string() : agent.error().ToString();
  std::printf("::probe %s\n", facts.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  return 0;
}

}  // namespace
}  // namespace penstock::worker::probe

auto main(int argc, char** argv) -> int { return penstock::worker::probe::Main(argc > 1 ? argv[1] : nullptr); }
