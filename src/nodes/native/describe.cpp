#include "nodes/native/describe.h"

namespace penstock::nodes::native {
namespace {

using nlohmann::json;

auto Ports(const PluginPort* ports, std::size_t count) -> json {
  auto list = json::array();
  for (const auto& port : std::span(ports, count)) list.push_back({{"name", port.name}, {"type", port.type}});
  return list;
}

}  // namespace

auto Describe(const PluginNode& node) -> json {
  auto params = json::array();
  for (const auto& param : std::span(node.params, node.param_count)) {
    json item{{"name", param.name}, {"type", param.type}, {"what", param.what}, {"otherwise", nullptr}};
    if (param.otherwise != nullptr) item["otherwise"] = param.otherwise;
    params.push_back(std::move(item));
  }
  return {{"name", node.name},
          {"summary", node.summary},
          {"inputs", Ports(node.inputs, node.input_count)},
          {"outputs", Ports(node.outputs, node.output_count)},
          {"params", std::move(params)}};
}

}  // namespace penstock::nodes::native
