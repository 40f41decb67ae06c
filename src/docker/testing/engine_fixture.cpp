#include "docker/testing/engine_fixture.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "base/unique_fd.h"
#include "base/uuid.h"
#include "docker/tar.h"

namespace penstock::docker {
namespace {
struct Suite {
  std::string id;
  std::string label;
  std::string image;
  base::UniqueFd alive;  // closed when this process ends, however it ends
  pid_t janitor = -1;
};
Suite suite;  // NOLINT: of the test program

void RemoveAll(const std::string& label) {
  const auto call = [] { return Call(base::Deadline::In(std::chrono::seconds(60))); };
  const auto engine = Engine::Connect({}, call());
  if (!engine) return;
  if (const auto containers = (*engine)->List({label}, call())) {
    for (const auto& container : *containers) (void)(*engine)->Remove(container.id, call());
  }
  if (const auto images = (*engine)->ListImages({label}, call())) {
    for (const auto& image : *images) (void)(*engine)->RemoveImage(image.id, {.force = true}, call());
  }
}

void StartJanitor() {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  suite.janitor = ::fork();
  ASSERT_GE(suite.janitor, 0);
  if (suite.janitor == 0) {
    ::setsid();  // survives what is sent to the tests' process group
    ::close(ends[1]);
    ::close(STDOUT_FILENO);  // or the test runner waits for us
    ::close(STDERR_FILENO);
    char byte = 0;
    while (::read(ends[0], &byte, 1) > 0) {
    }
    RemoveAll(suite.label);
    ::_exit(0);
  }
  ::close(ends[0]);
  suite.alive.reset(ends[1]);
}
}  // namespace

void EngineFixture::SetUpTestSuite() {
  suite.id = base::NewUuidV7();
  suite.label = "penstock.test=" + suite.id;
  suite.image = fmt::format("penstock-test-{}:probe", suite.id);
  StartJanitor();
  auto engine = Engine::Connect({}, Soon());
  ASSERT_TRUE(engine) << engine.error().ToString();
  const auto imported =
      (*engine)->ImportImage(ReaderOf(ProbeRootfs()), fmt::format("penstock-test-{}", suite.id), "probe",
                             {fmt::format("LABEL penstock.test={}", suite.id), R"(ENTRYPOINT ["/probe"])"}, Soon());
  ASSERT_TRUE(imported) << imported.error().ToString();
}

void EngineFixture::TearDownTestSuite() {
  suite.alive.reset();
  int status = 0;
  if (suite.janitor > 0) ::waitpid(suite.janitor, &status, 0);
}

void EngineFixture::SetUp() {
  auto engine = Engine::Connect({}, Soon());
  ASSERT_TRUE(engine) << engine.error().ToString();
  engine_ = std::move(*engine);
}

auto EngineFixture::Soon() -> Call { return {base::Deadline::In(std::chrono::seconds(120))}; }
auto EngineFixture::label() -> const std::string& { return suite.label; }
auto EngineFixture::labels() -> StringMap { return {{"penstock.test", suite.id}}; }
auto EngineFixture::image() -> const std::string& { return suite.image; }

auto EngineFixture::ProbeSpec(const Strings& arguments) -> ContainerSpec {
  return {.image = image(), .command = arguments, .labels = labels(), .network = "none"};
}

auto EngineFixture::CreateProbe(const Strings& arguments) -> std::string {
  const auto created = engine_->Create(ProbeSpec(arguments), Soon());
  EXPECT_TRUE(created) << created.error().ToString();
  return created ? created->id : "";
}

auto ProbeRootfs() -> std::string {
  std::ifstream file(PENSTOCK_TEST_PROBE, std::ios::binary);
  EXPECT_TRUE(file) << PENSTOCK_TEST_PROBE;
  std::string program{std::istreambuf_iterator<char>(file), {}};
  const auto tar = MakeTar({{.path = "probe", .content = std::move(program), .mode = 0755}});
  EXPECT_TRUE(tar) << tar.error().ToString();
  return tar ? *tar : "";
}

auto ReaderOf(std::string bytes) -> BodyReader {
  return [bytes = std::move(bytes), at = std::size_t{0}](char* room, std::size_t size) mutable {
    const auto taken = std::min(size, bytes.size() - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), taken, room);
    at += taken;
    return std::optional(taken);
  };
}

}  // namespace penstock::docker
