// penstock-native: the worker of native nodes, started by the runtime with its end of the worker protocol as
// descriptor 3.
//
//   penstock-native [--plugin PATH]…   plugins to look for the node in (default: those of the installation, and those
//                                      that PENSTOCK_PLUGIN_PATH names)
//   penstock-native --list             names and summaries of all nodes
//   penstock-native --describe         all that they declare, a JSON object a line (describe.h)
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "base/log.h"
#include "nodes/native/describe.h"
#include "nodes/native/record_log.h"
#include "nodes/native/run_node.h"

namespace penstock::nodes::native {
namespace {

constexpr int kExitRuntimeGone = 70;
constexpr std::chrono::minutes kConfigured{
    10};  // the runtime has a shorter deadline; this one ends a worker whose runtime hangs

auto List(PluginRegistry& registry, const std::vector<std::filesystem::path>& plugins, bool describe) -> int {
  int status = 0;
  for (const auto& plugin : plugins) {
    if (const auto loaded = registry.Load(plugin); !loaded) {
      fmt::print(stderr, "penstock-native: {}\n", loaded.error().ToString());
      status = 1;
    }
  }
  for (const auto* node : registry.nodes())
    fmt::print("{}\n", describe ? Describe(*node).dump() : fmt::format("{}\t{}", node->name, node->summary));
  return status;
}

auto Work(PluginRegistry& registry, const std::vector<std::filesystem::path>& plugins) -> int {
  struct stat status{};
  if (::fstat(worker::kControl, &status) != 0 || !S_ISSOCK(status.st_mode)) {
    std::fputs("penstock-native is started by penstock (descriptor 3 is no socket); --list shows its nodes\n", stderr);
    return 2;
  }
  ::fcntl(worker::kControl, F_SETFD, FD_CLOEXEC);
  SendLogTo(worker::kRecords);
  std::error_code ignored;
  Host::Options options{.control = base::UniqueFd(worker::kControl),
                        .hello = {.pid = ::getpid(),
                                  .language = "native",
                                  .version = PENSTOCK_VERSION,
                                  .sdk = PENSTOCK_VERSION,
                                  .executable = std::filesystem::read_symlink("/proc/self/exe", ignored).string()},
                        .on_runtime_gone = {},
                        .around_wait = {}};
  auto host = Host::Attach(std::move(options), base::Deadline::In(kConfigured));
  if (!host) {
    if (host.error().code() == base::ErrorCode::kPeerGone) return kExitRuntimeGone;
    fmt::print(stderr, "penstock-native: {}\n", host.error().ToString());
    return 1;
  }
  return RunNode(**host, registry, plugins);
}

auto Main(int argc, char** argv) -> int {
  std::vector<std::filesystem::path> plugins;
  bool list = false;
  bool describe = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--list") {
      list = true;
    } else if (argument == "--describe") {
      describe = true;
    } else if (argument == "--plugin" && i + 1 < argc) {
      plugins.emplace_back(argv[++i]);
    } else {
      std::fputs("usage: penstock-native [--plugin PATH]… [--list | --describe]\n", stderr);
      return 2;
    }
  }
  if (plugins.empty()) plugins = FindPlugins();
  PluginRegistry registry;
  return list || describe ? List(registry, plugins, describe) : Work(registry, plugins);
}

}  // namespace
}  // namespace penstock::nodes::native

auto main(int argc, char** argv) -> int { return penstock::nodes::native::Main(argc, argv); }
