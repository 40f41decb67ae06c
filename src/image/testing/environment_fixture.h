// For tests that build environments with the real engine: a base image, index and directories of the test's own.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "docker/testing/engine_fixture.h"
#include "image/builder.h"
#include "image/testing/background.h"

namespace penstock::image {

class EnvironmentFixture : public docker::EngineFixture {
 protected:
  void SetUp() override;
  void TearDown() override;

  auto Ensure(const EnvironmentSpec& spec, const BuildOptions& options = {}) -> base::Expected<Environment>;
  /// On the test's own base.
  auto Spec(std::vector<std::string> system, std::vector<manifest::PythonPackage> python) const -> EnvironmentSpec;
  auto InContainer(const Environment& environment, const std::string& python) -> Finished;
  /// Writes the wheel "penstock-test-wheel", whose module has ANSWER, into `directory`. `requires`: what it depends on.
  static void MakeWheel(const std::filesystem::path& directory, const std::string& version,
                        const std::string& requires_line = {}, int answer = 42);
  /// Lets pip look nowhere but into `directory`.
  static void UseOnlyWheelsOf(const std::filesystem::path& directory);
  void ExpectNothingLeft();
  auto EnvironmentImages() -> std::size_t;

  std::mutex mutex_;
  std::vector<std::string> steps_;
  std::string base_;
  std::size_t images_before_ = 0;  // of the tests that this process ran before
  std::filesystem::path scratch_;
};

}  // namespace penstock::image
