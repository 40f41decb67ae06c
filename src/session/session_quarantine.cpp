// Messages that a node fails at again and again: counted, and after the last attempt kept apart.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/count.h"
#include "observe/log_record.h"
#include "session/keep_message.h"
#include "session/session_impl.h"

namespace penstock::session {

auto Session::Impl::Accuse(std::size_t index, const Failure& failure) -> Accusation {
  auto& state = nodes_[index];
  if (state.replacing) return Accusation::kNone;  // it has begun with nothing yet
  const auto message = InHandsOf(View(), index);
  if (!message) {
    state.suspect.reset();
    return Accusation::kNone;
  }
  if (!state.suspect || state.suspect->edge != message->edge || state.suspect->sequence != message->sequence)
    state.suspect = Suspect{.edge = message->edge, .sequence = message->sequence, .failures = {}};
  auto& suspect = *state.suspect;
  suspect.failures.push_back({.sentence = failure.sentence, .traceback = failure.traceback});
  suspect.convicted = suspect.failures.size() >= state.node->restart->max_attempts;
  if (suspect.convicted) return Accusation::kConvicted;
  return suspect.failures.size() > 1 ? Accusation::kAgain : Accusation::kFirst;
}

auto Session::Impl::DelayBeforeRestart(std::size_t index, Accusation accusation)
    -> std::optional<std::chrono::nanoseconds> {
  auto& state = nodes_[index];
  const auto now = std::chrono::steady_clock::now();
  const auto jitter = std::generate_canonical<double, 32>(random_);
  // The first failure at a message may have been the node's own, whatever it had in hands; from the second on it is the
  // message's.
  if (accusation == Accusation::kConvicted) {
    if (state.suspect->failures.size() > 1) state.budget->Forgive();
    return state.quarantines->Spend(now, jitter);
  }
  if (accusation == Accusation::kAgain) return state.budget->Backoff(state.suspect->failures.size() - 1, jitter);
  return state.budget->Spend(now, jitter);
}

auto Session::Impl::OpenQuarantine(std::size_t index, worker::Configure& configure) -> base::Expected<base::UniqueFd> {
  const auto& state = nodes_[index];
  if (!state.suspect || !state.suspect->convicted) return base::UniqueFd();
  const auto& suspect = *state.suspect;
  const auto& edge = options_.plan.edges[suspect.edge];
  PENSTOCK_ASSIGN(const auto directory, observe::QuarantineDirectory());
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return base::SystemError("make the socket for a message in quarantine");
  auto ours = std::make_shared<base::UniqueFd>(ends[0]);
  base::UniqueFd theirs(ends[1]);
  const auto& inputs = state.node->inputs;
  const auto input = std::ranges::find(inputs, suspect.edge) - inputs.begin();
  configure.quarantine =
      worker::Quarantine{.input = static_cast<std::uint32_t>(input), .sequence = suspect.sequence, .fd = theirs.get()};
  const observe::Quarantined entry{.id = fmt::format("{}-{}-{}-{}", id_, state.node->id, input, suspect.sequence),
                                   .time_ns = observe::Now(),
                                   .session = id_,
                                   .pipeline = options_.plan.name,
                                   .manifest = std::filesystem::absolute(options_.plan.file).lexically_normal(),
                                   .node = state.node->id,
                                   .node_type = state.node->node_type,
                                   .port = edge.to.port,
                                   .edge = edge.id,
                                   .sequence = suspect.sequence,
                                   .failures = suspect.failures};
  const KeepLimits limits{.chunk_bytes = options_.plan.outputs[edge.output].max_message_bytes,
                          .quarantine_bytes = options_.quarantine_bytes};
  errands_.Run("penstock-keep", [this, index, ours, limits, directory, entry]() -> std::function<void()> {
    const auto kept = KeepMessage(*ours, limits, directory, entry);
    return [this, index, entry, kept] { OnKept(index, entry, kept); };
  });
  return theirs;
}

void Session::Impl::OnKept(std::size_t index, const observe::Quarantined& entry, const base::Expected<bool>& kept) {
  auto& state = nodes_[index];
  if (!kept) {
    auto error = base::Error(kept.error())
                     .While(fmt::format("putting message {} of edge {} into quarantine", entry.sequence, entry.edge));
    if (!ending_) return FailEnvironment(state.node->id, std::move(error));
    return base::Log(base::LogLevel::kWarning, "node '{}': {}", state.node->id, error.ToString());
  }
  if (!*kept) return;  // its successor will be asked
  ++state.quarantined;
  // The node may have failed at the next message meanwhile.
  const auto is_it = [&](const Suspect& suspect) {
    return options_.plan.edges[suspect.edge].id == entry.edge && suspect.sequence == entry.sequence;
  };
  if (state.suspect && state.suspect->convicted && is_it(*state.suspect)) state.suspect.reset();
  base::Log(base::LogLevel::kWarning,
            "message {} of edge {} is in quarantine, as node '{}' failed at it {}: see 'penstock quarantine show "
            "{}'",
            entry.sequence, entry.edge, entry.node, base::Count(entry.failures.size(), "time"), entry.id);
}

}  // namespace penstock::session
