// For tests that need a real engine: a tiny image, unique names, and a janitor that removes all of it whatever happens.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "docker/engine.h"

namespace penstock::docker {

/// Everything that a test makes must carry `label()`. A child process waits for the end of this one, also by a crash or
/// kill -9, and then removes the containers and images with that label.
class EngineFixture : public testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;

  /// Long enough for a loaded machine; passes only when something hangs.
  static auto Soon() -> Call;
  static auto label() -> const std::string&;  // "penstock.test=…"
  static auto labels() -> StringMap;
  /// The tests' image, "penstock-test-…:probe".
  static auto image() -> const std::string&;
  /// A container of the tests' image that runs the probe with `arguments`.
  static auto ProbeSpec(const Strings& arguments) -> ContainerSpec;
  auto CreateProbe(const Strings& arguments) -> std::string;

  std::unique_ptr<Engine> engine_;
};

/// "/probe" (static) as the tar of a root file system.
auto ProbeRootfs() -> std::string;
/// Reads `bytes` piece by piece.
auto ReaderOf(std::string bytes) -> BodyReader;

}  // namespace penstock::docker
