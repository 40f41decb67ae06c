// Makes the calls of engine_calls.h to an engine that answers them well, but for one answer, which a test spoils.
#pragma once

#include <functional>
#include <memory>

#include "docker/testing/engine_calls.h"
#include "docker/testing/fake_engine.h"

namespace penstock::docker {

/// Answers a request whose good answer would be `answer`, which is that number among the call's.
using Script = std::function<Then(const std::string& request, const FakeConnection& connection, std::size_t answer)>;

/// An engine that agrees on a version and then does as in `script`; whose requests include those of the negotiation.
auto ScriptedEngine(const EngineCall& call, Script script, FakeOptions options = {}) -> std::unique_ptr<FakeEngine>;

/// One that answers well, but for the answer that is to be spoiled: this is `spoil`'s.
auto SpoiledEngine(const EngineCall& call, FakeHandler spoil, FakeOptions options = {}) -> std::unique_ptr<FakeEngine>;

/// The requests of the negotiation, and of the call up to the one that is spoiled.
auto RequestsUntilSpoiled(const EngineCall& call) -> std::size_t;

/// Connects to `fake` and makes the call.
auto Make(const EngineCall& call, const FakeEngine& fake, const Call& limits, EngineOptions options = {})
    -> base::Status;

}  // namespace penstock::docker
