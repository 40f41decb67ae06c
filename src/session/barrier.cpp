#include "session/barrier.h"

#include <algorithm>

namespace penstock::session {
namespace {

void AddOnce(std::vector<std::size_t>& nodes, std::size_t node) {
  if (std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(node);
}

}  // namespace

AttachBarrier::AttachBarrier(const plan::Plan& plan) : state_(plan.nodes.size()) {
  for (std::size_t consumer = 0; consumer < plan.nodes.size(); ++consumer) {
    for (const auto edge : plan.nodes[consumer].inputs) {
      const auto output = plan.edges.at(edge).output;
      for (std::size_t producer = 0; producer < plan.nodes.size(); ++producer) {
        if (std::ranges::find(plan.nodes[producer].outputs, output) == plan.nodes[producer].outputs.end()) continue;
        AddOnce(state_[consumer].producers, producer);
        AddOnce(state_[producer].consumers, consumer);
      }
    }
  }
}

void AttachBarrier::Offer(std::size_t node, std::vector<Command>& commands) {
  auto& state = state_.at(node);
  const auto all = [this](const std::vector<std::size_t>& nodes, bool State::* flag) {
    return std::ranges::all_of(nodes, [&](std::size_t other) { return state_[other].*flag; });
  };
  if (!state.told_to_open && state.outputs_open && all(state.producers, &State::was_open)) {
    state.told_to_open = true;
    commands.push_back({.node = node, .step = Step::kOpenInputs});
  }
  if (!state.told_to_connect && state.inputs_open && all(state.consumers, &State::inputs_open)) {
    state.told_to_connect = true;
    commands.push_back({.node = node, .step = Step::kConnect});
  }
}

auto AttachBarrier::OutputsOpen(std::size_t node) -> std::vector<Command> {
  state_.at(node).outputs_open = true;
  state_[node].was_open = true;
  std::vector<Command> commands;
  Offer(node, commands);
  for (const auto consumer : state_[node].consumers) Offer(consumer, commands);
  return commands;
}

auto AttachBarrier::InputsOpen(std::size_t node) -> std::vector<Command> {
  state_.at(node).inputs_open = true;
  std::vector<Command> commands;
  Offer(node, commands);
  for (const auto producer : state_[node].producers) Offer(producer, commands);
  return commands;
}

void AttachBarrier::Replaced(std::size_t node) {
  auto& state = state_.at(node);
  state = {
      .producers = std::move(state.producers), .consumers = std::move(state.consumers), .was_open = state.was_open};
}

auto AttachBarrier::LeftOut(std::size_t node) -> std::vector<Command> {
  auto& state = state_.at(node);
  for (auto* flag : {&state.outputs_open, &state.was_open, &state.inputs_open, &state.told_to_open,
                     &state.told_to_connect, &state.connected, &state.ready})
    *flag = true;
  std::vector<Command> commands;
  for (const auto& others : {state.consumers, state.producers}) {
    for (const auto other : others) Offer(other, commands);
  }
  return commands;
}

auto AttachBarrier::Passed() const -> bool {
  return std::ranges::all_of(state_, [](const State& state) { return state.connected && state.ready; });
}

auto AttachBarrier::Missing() const -> std::vector<std::size_t> {
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < state_.size(); ++i) {
    if (!state_[i].connected || !state_[i].ready) missing.push_back(i);
  }
  return missing;
}

}  // namespace penstock::session
