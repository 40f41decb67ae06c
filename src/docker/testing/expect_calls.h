// What every call of the client must make of an engine that spoils its answer.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "docker/testing/scripted_engine.h"

namespace penstock::docker {

/// The code of the error that a call must end with; nullopt: it must succeed.
using ExpectedCode = std::function<std::optional<base::ErrorCode>(const EngineCall&)>;

auto Always(base::ErrorCode code) -> ExpectedCode;
/// For a proper answer with a body of nonsense, which is success to who does not read it.
auto UnlessUnread(base::ErrorCode code) -> ExpectedCode;

/// Sends this and hangs up.
auto Sends(std::string bytes) -> FakeHandler;

/// Checks code and sentence: what was tried, in one readable paragraph, with a remedy where there is one.
void ExpectOutcome(const EngineCall& call, const base::Status& outcome, std::optional<base::ErrorCode> expected);

/// Makes every call, each with an engine of its own. No call may take longer than two minutes: then something hangs.
void ExpectOfEveryCall(const FakeHandler& spoil, const ExpectedCode& expected, FakeOptions fake_options = {},
                       const EngineOptions& options = {});

}  // namespace penstock::docker
