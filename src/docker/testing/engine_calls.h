// Every call of the client, with what an engine answers to it when all is well.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "docker/engine.h"
#include "docker/testing/answers.h"

namespace penstock::docker {

/// What a call makes of the body of an answer.
enum class Reads {
  kNothing,  // success is in the status
  kValue,    // one JSON value
  kLines,    // JSON, a line each
  kFrames,
};

struct EngineCall {
  std::string name{};
  std::string attempt{};  // what its errors say was tried: "inspect container 'c1'"
  Reads reads = Reads::kNothing;
  std::vector<GoodAnswer> answers{};  // to its requests, in order
  std::size_t spoiled = 0;            // which of them a test spoils
  Strings wrong{};                    // bodies that are proper JSON, but not this answer
  bool connects = false;              // is Engine::Connect: its requests are the negotiation's
  bool uploads = false;               // sends a body that is read piece by piece
  bool streams = false;               // goes on after its answer has begun
  /// Makes the call. `engine` is what `options` lead to, and null when the call is Connect itself.
  std::function<base::Status(const Engine* engine, const EngineOptions& options, const Call& call)> run{};
};

auto EngineCalls() -> const std::vector<EngineCall>&;

}  // namespace penstock::docker
