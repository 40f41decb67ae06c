#include "image/step_container.h"

#include <array>
#include <chrono>

#include "base/log.h"
#include "base/uuid.h"
#include "docker/lines.h"
#include "docker/ownership.h"

namespace penstock::image {
namespace {
using namespace std::chrono_literals;

// Removing must also work when the caller's own deadline has passed.
constexpr auto kRemoveWithin = 60s;

void RemoveEntry(base::LockedDirectory& entry) {
  if (entry.ClaimIfLast()) entry.Remove();
}

}  // namespace

auto StepContainer::Create(docker::Engine& engine, docker::ContainerSpec spec, const docker::Call& call)
    -> base::Expected<StepContainer> {
  PENSTOCK_ASSIGN(const auto entries, docker::EntriesDirectory());
  // The last group of a version 7 UUID is random. No entry of a node's container begins with an 's'.
  PENSTOCK_ASSIGN(auto entry, base::LockedDirectory::Create(entries, "s-" + base::NewUuidV7().substr(24)));
  spec.name = docker::EngineName(entry.path());
  spec.labels.merge(docker::EntryLabels(entry.path()));
  // Not to be cancelled: a container whose creation was cut off could come into being after its removal.
  auto created = engine.Create(spec, docker::Call(call.deadline));
  if (created) return StepContainer(engine, std::move(entry), std::move(created->id));
  // It may have been made all the same, and is then nobody's.
  RemoveEntry(entry);
  return tl::make_unexpected(std::move(created).error());
}

StepContainer::StepContainer(StepContainer&& other) noexcept
    : engine_(std::exchange(other.engine_, nullptr)), entry_(std::move(other.entry_)), id_(std::move(other.id_)) {}

StepContainer::~StepContainer() {
  if (engine_ == nullptr) return;
  if (auto removed = engine_->Remove(id_, base::Deadline::In(kRemoveWithin)); !removed) {
    base::Log(base::LogLevel::kWarning, "the container {} stays until the next penstock command: {}",
              docker::EngineName(entry_.path()), removed.error().ToString());
    return;  // with its entry, which nobody holds from here on
  }
  RemoveEntry(entry_);
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
