#include "nodes/native/run_node.h"

#include <cxxabi.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <optional>
#include <set>
#include <typeinfo>
#include <utility>

#include "nodes/native/node_context.h"

namespace penstock::nodes::native {
namespace {
using base::ErrorCode;
using base::Fail;

auto TypeName(const std::type_info& type) -> std::string {
  int status = 0;
  char* const name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string text = status == 0 && name != nullptr ? name : type.name();
  std::free(name);
  return text;
}

// Runs `step`, turning what it throws into `failed`.
template <class Step>
auto Contained(worker::Failed& failed, Step&& step) -> bool {
  try {
    const base::Status status = step();
    if (status) return true;
    failed.error = base::ToString(status.error().code());
    failed.message = status.error().ToString();
  } catch (const std::exception& error) {
    failed.error = TypeName(typeid(error));
    failed.message = error.what();
  } catch (...) {
    const auto* type = abi::__cxa_current_exception_type();
    failed.error = type == nullptr ? "unknown exception" : TypeName(*type);
    failed.message = "something was thrown that is not a std::exception";
  }
  return false;
}

auto PortsOf(const PluginPort* ports, std::size_t count) -> std::map<std::string, std::string> {
  std::map<std::string, std::string> named;
  for (const auto& port : std::span(ports, count)) named[port.name] = port.type;
  return named;
}

class NodeLife final {
 public:
  NodeLife(Host& host, PluginRegistry& registry) : host_(host), registry_(registry) {}

  auto Run(const std::vector<std::filesystem::path>& plugins) -> base::Status {
    phase_ = "import";
    PENSTOCK_TRY(Create(plugins));
    phase_ = "setup";
    const auto& configure = host_.configure();
    const auto params = nlohmann::json::parse(configure.params_json);
    PENSTOCK_TRY(configure.attempt == 0 ? node_->Setup(params) : node_->Resume(params));
    PENSTOCK_TRY(CheckReplay());
    PENSTOCK_TRY(BeginState());
    phase_ = "ports";
    PENSTOCK_TRY(host_.ReadyAndAwaitStart({.inputs = PortsOf(type_->inputs, type_->input_count),
                                           .outputs = PortsOf(type_->outputs, type_->output_count)}));
    NodeContext context(host_, *type_);
    // Of a source that had sent everything only the end is left.
    if (!is_source() || !host_.ended_before()) PENSTOCK_TRY(Work(context));
    phase_ = "ports";
    PENSTOCK_TRY(host_.Drain());
    return {};
  }

  /// Also after a failure.
  auto Teardown() -> base::Status {
    if (!node_) return {};
    auto node = std::exchange(node_, nullptr);
    return node->Teardown();
  }

  auto phase() const -> const char* { return phase_; }
  /// Edge and sequence of the message whose handler is running.
  void DescribeMessage(worker::Failed& failed) const {
    if (!in_flight_) return;
    failed.sequence = in_flight_->second;
    std::vector<std::string> edges;
    for (const auto& input : host_.configure().inputs) {
      if (input.port == host_.input_ports()[in_flight_->first]) edges.push_back(input.edge.edge);
    }
    if (edges.size() == 1) failed.edge = edges.front();
  }

 private:
  auto Create(const std::vector<std::filesystem::path>& plugins) -> base::Status {
    const auto& wanted = host_.configure().node_type;
    std::vector<std::string> not_loaded;
    // What is linked in needs none of them: loading FFmpeg for a text.sink would take longer than the sink's own start.
    for (auto plugin = plugins.begin(); registry_.Find(wanted) == nullptr && plugin != plugins.end(); ++plugin) {
      if (const auto loaded = registry_.Load(*plugin); !loaded) not_loaded.push_back(loaded.error().message());
    }
    type_ = registry_.Find(wanted);
    if (type_ == nullptr) {
      std::set<std::string> known;
      for (const auto* node : registry_.nodes()) known.insert(node->name);
      return Fail(ErrorCode::kNotFound, "there is no native node '{}'; known are {}{}{}", wanted,
                  fmt::join(known, ", "), not_loaded.empty() ? "" : "; ", fmt::join(not_loaded, "; "));
    }
    PENSTOCK_TRY(CheckPorts("input", host_.input_ports(), type_->inputs, type_->input_count));
    PENSTOCK_TRY(CheckPorts("output", host_.output_ports(), type_->outputs, type_->output_count));
    node_.reset(type_->create());
    if (!node_) return Fail(ErrorCode::kInternal, "the plugin made no '{}'", wanted);
    return {};
  }

  auto CheckPorts(const char* what, const std::vector<std::string>& connected, const PluginPort* ports,
                  std::size_t count) const -> base::Status {
    const auto declared = PortsOf(ports, count);
    for (const auto& port : connected) {
      if (declared.contains(port)) continue;
      std::vector<std::string> names;
      for (const auto& [name, type] : declared) names.push_back("'" + name + "'");
      return Fail(ErrorCode::kInvalidArgument, "{} has no {} '{}'; {}", type_->name, what, port,
                  names.empty() ? fmt::format("it has no {}s", what)
                                : fmt::format("its {}s are {}", what, fmt::join(names, ", ")));
    }
    return {};
  }

  auto is_source() const -> bool { return host_.input_ports().empty(); }

  auto CheckReplay() const -> base::Status {
    if (!host_.configure().restart || !is_source() || node_->replay() != Replay::kUndeclared) return {};
    return Fail(ErrorCode::kUnsupported,
                "{} cannot be restarted: it does not say how it goes on in a new worker. Remove 'on_failure' and "
                "'retry' from node '{}'",
                type_->name, host_.configure().node);
  }

  // From here on a successor finds a state.
  auto BeginState() -> base::Status {
    const auto& configure = host_.configure();
    keeps_ = configure.restart && node_->keeps_state();
    if (!keeps_) return {};
    phase_ = "restore";
    PENSTOCK_ASSIGN(const auto kept, host_.RestoreState());
    return kept ? node_->Restore(kept->bytes) : host_.KeepState(0, node_->Checkpoint());
  }

  auto Work(NodeContext& context) -> base::Status {
    phase_ = "process";
    if (is_source() && node_->replay() == Replay::kNew) host_.PublishAnew();
    PENSTOCK_TRY(is_source() ? node_->Run(context) : Serve(context));
    phase_ = "finish";
    host_.BeginFinish();
    PENSTOCK_TRY(node_->Finish(context));
    phase_ = "replay";
    return host_.CheckReplay();
  }

  auto Serve(NodeContext& context) -> base::Status {
    for (;;) {
      PENSTOCK_ASSIGN(auto event, NextEvent(context));
      if (event.kind == Event::Kind::kAllEnded) return {};
      if (event.kind != Event::Kind::kMessage) continue;
      in_flight_ = std::pair(event.input, event.message->header().sequence);
      const auto done =
          node_->Process(context, host_.input_ports()[event.input], ToReceived(std::move(*event.message)));
      if (!done && node_->output_is_broken()) {
        phase_ = "output";
        in_flight_.reset();
      }
      PENSTOCK_TRY(done);
      if (keeps_) PENSTOCK_TRY(host_.KeepState(0, node_->Checkpoint()));
      host_.Acknowledge();
      in_flight_.reset();
    }
  }

  auto NextEvent(NodeContext& context) -> base::Expected<Event> {
    if (const auto due = node_->next_tick(); due && *due <= base::Deadline::Clock::now() && host_.BeginTick()) {
      PENSTOCK_TRY(node_->Tick(context));
      if (keeps_) PENSTOCK_TRY(host_.KeepState(0, node_->Checkpoint()));
    }
    const auto next = node_->next_tick();
    return next ? host_.NextUntil(*next) : host_.Next(base::Deadline::Never());
  }

  Host& host_;
  PluginRegistry& registry_;
  const PluginNode* type_ = nullptr;
  std::unique_ptr<Node> node_;
  bool keeps_ = false;  // its state, for a successor
  const char* phase_ = "import";
  std::optional<std::pair<std::size_t, std::uint64_t>> in_flight_;
};

}  // namespace

auto RunNode(Host& host, PluginRegistry& registry, const std::vector<std::filesystem::path>& plugins) -> int {
  NodeLife life(host, registry);
  worker::Failed failed;
  if (!Contained(failed, [&] { return life.Run(plugins); })) {
    failed.phase = life.phase();
    life.DescribeMessage(failed);
    host.ReportFailure(failed);
    worker::Failed ignored;  // the first failure is the one that matters
    static_cast<void>(Contained(ignored, [&] { return life.Teardown(); }));
    return 1;
  }
  if (!Contained(failed, [&] { return life.Teardown(); })) {
    failed.phase = "teardown";
    host.ReportFailure(failed);
    return 1;
  }
  host.ReportFinished();
  return 0;
}

}  // namespace penstock::nodes::native
