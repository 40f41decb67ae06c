// A plugin of another version of the interface: nothing of it but the number may be looked at.
#include "nodes/node.h"

namespace penstock::nodes::native {
namespace {

constexpr Plugin kPlugin{.abi_version = Plugin::kAbiVersion - 1, .nodes = nullptr, .node_count = 1000};

}  // namespace
}  // namespace penstock::nodes::native

extern "C" __attribute__((visibility("default"))) auto penstock_plugin() -> const penstock::nodes::Plugin* {
  return &penstock::nodes::native::kPlugin;
}
