#include "image/testing/environment_fixture.h"

#include <chrono>
#include <cstdlib>

#include "base/paths.h"
#include "base/uuid.h"
#include "docker/tar.h"
#include "image/base_image.h"
#include "image/step_container.h"

namespace penstock::image {
namespace fs = std::filesystem;
namespace {

// DIRECTORY VERSION REQUIRES ANSWER
constexpr auto kMakeWheel = R"(
import sys, zipfile
directory, version, requires, answer = sys.argv[1:]
with zipfile.ZipFile(f"{directory}/penstock_test_wheel-{version}-py3-none-any.whl", "w") as wheel:
    info = f"penstock_test_wheel-{version}.dist-info/"
    wheel.writestr("penstock_test_wheel.py", f"ANSWER = {answer}\n")
    wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: penstock-test-wheel\nVersion: {version}\n" +
                   (f"Requires-Dist: {requires}\n" if requires else ""))
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "penstock_test_wheel.py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n")
)";

}  // namespace

void EnvironmentFixture::SetUp() {
  EngineFixture::SetUp();
  scratch_ = fs::temp_directory_path() / ("environments-" + base::NewUuidV7());
  // Other builds on this machine, and its index, are not ours to count. The download cache is shared.
  ::setenv("XDG_RUNTIME_DIR", (scratch_ / "run").c_str(), 1);
  ::setenv("XDG_STATE_HOME", (scratch_ / "state").c_str(), 1);
  // A base of this test alone: new content, so that nothing is cached, and its label, so that the janitor finds what
  // is built upon it.
  const auto own = EnsureBase(*engine_, "3.11", {}, Soon());
  ASSERT_TRUE(own) << own.error().ToString();
  const auto context =
      docker::MakeTar({{.path = "Dockerfile", .content = fmt::format("FROM {}\nCOPY test-id /\n", own->reference)},
                       {.path = "test-id", .content = label() + base::NewUuidV7()}});
  base_ = fmt::format("penstock-test-{}:base", base::NewUuidV7());
  const auto built = engine_->Build({.context = *context, .tags = {base_}, .labels = labels()}, {}, Soon());
  ASSERT_TRUE(built) << built.error().ToString();
  images_before_ = 0;
  images_before_ = EnvironmentImages();
}

void EnvironmentFixture::TearDown() {
  for (const auto* name : {"PIP_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "XDG_CACHE_HOME"}) ::unsetenv(name);
  fs::remove_all(scratch_);
}

auto EnvironmentFixture::Ensure(const EnvironmentSpec& spec, const BuildOptions& options)
    -> base::Expected<Environment> {
  return EnsureEnvironment(
      *engine_, spec,
      [this](const Progress& progress) {
        const std::lock_guard lock(mutex_);
        if (progress.line.empty()) steps_.push_back(progress.step);
      },
      docker::Call(base::Deadline::In(std::chrono::minutes(4))), options);
}

auto EnvironmentFixture::Spec(std::vector<std::string> system, std::vector<manifest::PythonPackage> python) const
    -> EnvironmentSpec {
  return {"3.11", base_, std::move(system), std::move(python), {}};
}

auto EnvironmentFixture::InContainer(const Environment& environment, const std::string& python) -> Finished {
  docker::ContainerSpec spec;
  spec.image = environment.image_id;
  spec.command = {environment.interpreter, "-c", python};
  spec.labels = labels();
  spec.network = "none";
  spec.read_only_root = true;
  auto container = StepContainer::Create(*engine_, spec, Soon()).value();
  Finished finished;
  finished.status = static_cast<int>(
      container.Run([&](std::string_view line) { finished.output.append(line).append("\n"); }, Soon()).value());
  return finished;
}

void EnvironmentFixture::MakeWheel(const fs::path& directory, const std::string& version,
                                   const std::string& requires_line, int answer) {
  fs::create_directories(directory);
  EXPECT_EQ(RunToEnd({"python3", "-c", kMakeWheel, directory, version, requires_line, std::to_string(answer)}).status,
            0);
}

void EnvironmentFixture::UseOnlyWheelsOf(const fs::path& directory) {
  ::setenv("PIP_NO_INDEX", "1", 1);
  ::setenv("PIP_FIND_LINKS", directory.c_str(), 1);
}

void EnvironmentFixture::ExpectNothingLeft() {
  EXPECT_TRUE(engine_->List({label()}, Soon()).value().empty()) << "a build container is left";
  const auto builds = base::RuntimeDirectory().value() / "builds";
  EXPECT_TRUE(!fs::exists(builds) || fs::is_empty(builds)) << "the host's configuration is left";
}

auto EnvironmentFixture::EnvironmentImages() -> std::size_t {
  return engine_->ListImages({label(), kEnvironmentLabel}, Soon()).value().size() - images_before_;
}

}  // namespace penstock::image
