#include "session/wiring.h"

#include <nlohmann/json.hpp>

namespace penstock::session {
namespace {

auto ContractOf(const plan::Edge& edge) -> transport::EdgeContract {
  transport::EdgeContract contract;
  switch (edge.policy) {
    case manifest::Policy::kBlock:
      contract.policy = transport::Policy::kBlock;
      break;
    case manifest::Policy::kDropOldest:
      contract.policy = transport::Policy::kDropOldest;
      break;
    case manifest::Policy::kLatest:
      contract.policy = transport::Policy::kLatest;
      break;
    case manifest::Policy::kFail:
      contract.policy = transport::Policy::kFail;
      break;
  }
  contract.delivery = edge.delivery == manifest::Delivery::kAtLeastOnce ? transport::Delivery::kAtLeastOnce
                                                                        : transport::Delivery::kAtMostOnce;
  contract.max_in_flight_bytes = edge.max_in_flight_bytes;
  contract.depth = edge.depth;
  contract.max_held = edge.max_held;
  return contract;
}

auto NodeIndex(const plan::Plan& plan, const std::string& id) -> std::size_t {
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    if (plan.nodes[i].id == id) return i;
  }
  return plan.nodes.size();  // a plan's edges name its nodes
}

}  // namespace

auto Wiring::Make(const plan::Plan& plan, const std::string& session_id, int first_realm_number)
    -> base::Expected<Wiring> {
  Wiring wiring(session_id, first_realm_number);
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    PENSTOCK_ASSIGN(auto doorbell, transport::Doorbell::Create());
    wiring.doorbells_.push_back(std::move(doorbell));
    auto& state = wiring.states_.emplace_back();
    if (!plan.nodes[i].restart) continue;
    PENSTOCK_ASSIGN(state, transport::StateMemory::Create(plan.nodes[i].inputs.size(), plan.nodes[i].outputs.size()));
  }
  for (const auto& output : plan.outputs) {
    PENSTOCK_ASSIGN(auto realm, transport::Realm::Create(output.realm_bytes));
    wiring.realms_.push_back(std::move(realm));
    wiring.producer_of_output_.push_back(NodeIndex(plan, output.port.node));
  }
  for (const auto& edge : plan.edges) {
    PENSTOCK_ASSIGN(auto block, transport::ControlBlock::Create(ContractOf(edge)));
    wiring.edges_.push_back(std::move(block));
    wiring.consumer_of_edge_.push_back(NodeIndex(plan, edge.to.node));
  }
  return wiring;
}

auto Wiring::ConfigureFor(const plan::Plan& plan, std::size_t index, std::uint32_t restarts) const
    -> worker::Configure {
  const auto& node = plan.nodes.at(index);
  worker::Configure configure;
  configure.session = session_id_;
  configure.node = node.id;
  configure.node_type = node.node_type;
  configure.params_json = node.params->dump();
  configure.modules = plan.modules;
  configure.attempt = restarts;
  if (node.join) configure.join_tolerance_ns = node.join->tolerance.count();
  configure.bell = doorbells_.at(index).fd().get();
  if (const auto& state = states_.at(index)) configure.restart = worker::Restartable{.state = state->fd().get()};
  const auto service = [&](const plan::Output& output) { return plan::ServiceName(output, session_id_); };
  const auto hold_realm = [&](std::size_t output) {
    const int number = first_realm_number_ + static_cast<int>(output);
    for (const auto& held : configure.realms) {
      if (held.number == number) return number;  // two edges from one output
    }
    configure.realms.push_back({.number = number, .fd = realms_.at(output).fd().get()});
    return number;
  };
  for (const auto output_index : node.outputs) {
    const auto& output = plan.outputs.at(output_index);
    worker::OutputSpec spec;
    spec.port = output.port.port;
    spec.service = service(output);
    spec.realm = hold_realm(output_index);
    spec.max_message_bytes = output.max_message_bytes;
    spec.history = output.history;
    spec.buffer = output.buffer;
    spec.max_held = output.max_held;
    spec.epoch = restarts;
    for (const auto edge_index : output.edges) {
      spec.edges.push_back({.edge = plan.edges.at(edge_index).id,
                            .control = edges_.at(edge_index).fd().get(),
                            .bell = doorbells_.at(consumer_of_edge_.at(edge_index)).fd().get()});
    }
    configure.outputs.push_back(std::move(spec));
  }
  for (const auto edge_index : node.inputs) {
    const auto& edge = plan.edges.at(edge_index);
    const auto& output = plan.outputs.at(edge.output);
    worker::InputSpec spec;
    spec.port = edge.to.port;
    spec.edge = {.edge = edge.id,
                 .control = edges_.at(edge_index).fd().get(),
                 .bell = doorbells_.at(producer_of_output_.at(edge.output)).fd().get()};
    spec.service = service(output);
    spec.realm = hold_realm(edge.output);
    spec.max_message_bytes = output.max_message_bytes;
    spec.history = output.history;
    spec.buffer = output.buffer;
    spec.max_held = output.max_held;
    configure.inputs.push_back(std::move(spec));
  }
  return configure;
}

}  // namespace penstock::session
