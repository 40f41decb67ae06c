#include "image/step_container.h"

#include <array>
#include <chrono>

#include "base/log.h"
#include "docker/lines.h"

namespace penstock::image {
namespace {
using namespace std::chrono_literals;

// Removing must also work when the caller's own deadline has passed.
constexpr auto kRemoveWithin = 60s;

}  // namespace

auto StepContainer::Create(docker::Engine& engine, const docker::ContainerSpec& spec, const docker::Call& call)
    -> base::Expected<StepContainer> {
  PENSTOCK_ASSIGN(auto created, engine.Create(spec, call));
  return StepContainer(engine, std::move(created.id));
}

StepContainer::StepContainer(StepContainer&& other) noexcept
    : engine_(std::exchange(other.engine_, nullptr)), id_(std::move(other.id_)) {}

StepContainer::~StepContainer() {
  if (engine_ == nullptr) return;
  if (auto removed = engine_->Remove(id_, base::Deadline::In(kRemoveWithin)); !removed) {
    base::Log(base::LogLevel::kWarning, "cannot remove the build container {}: {}", id_.substr(0, 12),
              removed.error().ToString());
  }
}

auto StepContainer::Run(const base::LineSink& on_line, const docker::Call& call) -> base::Expected<std::int64_t> {
  std::array<docker::LineDecoder, 2> decoders;  // by stream
  const auto pass_on = [&on_line](std::string_view line) -> base::Status {
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    // apt and pip redraw a line by a carriage return; only its last state counts.
    if (const auto start = line.rfind('\r'); start != std::string_view::npos) line.remove_prefix(start + 1);
    if (!line.empty()) on_line(line);
    return {};
  };
  const auto sink = [&](docker::OutputStream stream, std::string_view piece) {
    // A line beyond the decoder's limit is not worth failing for.
    static_cast<void>(decoders.at(static_cast<std::size_t>(stream)).Feed(piece, pass_on));
  };
  PENSTOCK_ASSIGN(auto output, engine_->Attach(id_, sink, {}, call));
  PENSTOCK_TRY(engine_->Start(id_, call));
  PENSTOCK_ASSIGN(const auto status, engine_->Wait(id_, docker::WaitFor::kNotRunning, call));
  PENSTOCK_TRY(output.Wait(call.deadline));
  for (auto& decoder : decoders) static_cast<void>(decoder.Flush(pass_on));
  return status;
}

}  // namespace penstock::image
