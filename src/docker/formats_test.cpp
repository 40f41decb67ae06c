// What needs no engine: addresses, framing, lines, JSON both ways, archives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/uuid.h"
#include "docker/decode.h"
#include "docker/encode.h"
#include "docker/errors.h"
#include "docker/frames.h"
#include "docker/http.h"
#include "docker/lines.h"
#include "docker/socket_path.h"
#include "docker/tar.h"

namespace penstock::docker {
namespace {
using base::ErrorCode;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class DockerHost : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv("DOCKER_HOST")) before_ = value;
  }
  void TearDown() override {
    if (before_) {
      ::setenv("DOCKER_HOST", before_->c_str(), 1);
    } else {
      ::unsetenv("DOCKER_HOST");
    }
  }
  std::optional<std::string> before_;
};

TEST_F(DockerHost, UsualSocketWhenNothingIsSaid) {
  ::unsetenv("DOCKER_HOST");
  EXPECT_EQ(SocketPath("").value(), "/var/run/docker.sock");
}

TEST_F(DockerHost, EnvironmentIsHonoured) {
  ::setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock", 1);
  EXPECT_EQ(SocketPath("").value(), "/run/user/1000/docker.sock");
}

TEST_F(DockerHost, ExplicitAddressWinsOverTheEnvironment) {
  ::setenv("DOCKER_HOST", "tcp://elsewhere:2375", 1);
  EXPECT_EQ(SocketPath("/run/mine.sock").value(), "/run/mine.sock");
}

TEST_F(DockerHost, RemoteEnginesAreRefusedWithTheReason) {
  for (const auto* address : {"tcp://10.0.0.1:2375", "ssh://user@host", "http://host", "npipe:////./pipe/docker"}) {
    ::setenv("DOCKER_HOST", address, 1);
    const auto path = SocketPath("");
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().code(), ErrorCode::kUnsupported);
    EXPECT_THAT(path.error().message(), HasSubstr("must share this machine's kernel"));
    EXPECT_THAT(path.error().message(), HasSubstr("unix:///var/run/docker.sock"));
    EXPECT_THAT(path.error().message(), HasSubstr(address));
  }
}

TEST_F(DockerHost, WhatIsNoAddressIsRefused) {
  EXPECT_EQ(SocketPath("unix://relative").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(SocketPath("somewhere").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(SocketPath("/" + std::string(200, 'x')).error().code(), ErrorCode::kInvalidArgument);
}

auto Frame(char stream, std::string_view payload) -> std::string {
  std::string frame{
      stream, 0, 0, 0, 0, 0, static_cast<char>(payload.size() >> 8U), static_cast<char>(payload.size() & 0xffU)};
  return frame.append(payload);
}

TEST(FrameDecoder, GivesTheSameHoweverTheFramesAreCut) {
  const auto input = Frame(1, "first ") + Frame(2, "oops") + Frame(1, "") + Frame(1, std::string(300, 'x'));
  for (std::size_t size = 1; size <= input.size(); ++size) {
    FrameDecoder frames("read");
    std::string out;
    std::string err;
    const OutputSink sink = [&](OutputStream stream, std::string_view piece) {
      (stream == OutputStream::kStdout ? out : err).append(piece);
    };
    for (std::size_t at = 0; at < input.size(); at += size) ASSERT_TRUE(frames.Feed(input.substr(at, size), sink));
    EXPECT_TRUE(frames.Finish());
    EXPECT_EQ(out, "first " + std::string(300, 'x'));
    EXPECT_EQ(err, "oops");
  }
}

TEST(FrameDecoder, KnowsThatAFrameIsIncomplete) {
  const OutputSink sink = [](OutputStream, std::string_view) {};
  for (std::size_t size : {3UL, 8UL, 10UL}) {
    FrameDecoder frames("read");
    ASSERT_TRUE(frames.Feed(Frame(1, "hello").substr(0, size), sink));
    EXPECT_FALSE(frames.Finish());
  }
}

TEST(FrameDecoder, RefusesUnframedOutput) {
  FrameDecoder frames("read");
  const auto fed = frames.Feed("plain text of a terminal", [](OutputStream, std::string_view) {});
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code(), ErrorCode::kPeerCorrupt);
}

TEST(LineDecoder, GivesTheSameHoweverTheLinesAreCut) {
  const std::string input = "{\"a\":1}\r\n\n{\"b\":2}\nrest";
  for (std::size_t size = 1; size <= input.size(); ++size) {
    LineDecoder decoder;
    std::vector<std::string> lines;
    const LineDecoder::Sink sink = [&](std::string_view line) -> base::Status {
      lines.emplace_back(line);
      return {};
    };
    for (std::size_t at = 0; at < input.size(); at += size) ASSERT_TRUE(decoder.Feed(input.substr(at, size), sink));
    ASSERT_TRUE(decoder.Flush(sink));
    EXPECT_THAT(lines, ElementsAre("{\"a\":1}", "{\"b\":2}", "rest"));
  }
}

TEST(LineDecoder, RefusesAnEndlessLine) {
  LineDecoder decoder;
  const LineDecoder::Sink sink = [](std::string_view) -> base::Status { return {}; };
  const std::string piece(1024UL * 1024, 'x');
  base::Status fed;
  for (int i = 0; i < 20 && fed; ++i) fed = decoder.Feed(piece, sink);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code(), ErrorCode::kPeerCorrupt);
}

TEST(Encode, ContainerHasAllLimits) {
  const auto text =
      EncodeContainer({.image = "img",
                       .command = {"run"},
                       .entrypoint = Strings{},
                       .env = {{"A", "b=c"}},
                       .user = "1000:1000",
                       .mounts = {{.source = "/a", .target = "/b"}},
                       .tmpfs = {{.target = "/tmp", .size_bytes = 4096, .options = "mode=1777"}},
                       .network = "none",
                       .memory_bytes = 1 << 20,
                       .nano_cpus = 500'000'000,
                       .pids_limit = 64,
                       .shm_bytes = 8192,
                       .ulimits = {{.name = "nofile", .soft = 10, .hard = 20}},
                       .devices = {{.host_path = "/dev/a", .container_path = "/dev/b", .permissions = "r"}},
                       .gpus = GpuRequest{.count = -1},
                       .read_only_root = true,
                       .cap_drop = {"ALL"},
                       .cap_add = {"CHOWN"},
                       .security_options = {"no-new-privileges"},
                       .init = true,
                       .log_driver = "none",
                       .extra_json = R"({"HostConfig": {"IpcMode": "private", "Init": false}})"});
  ASSERT_TRUE(text) << text.error().ToString();
  const auto body = json::parse(*text);
  const auto& host = body["HostConfig"];
  EXPECT_EQ(body["Entrypoint"], json({""}));
  EXPECT_EQ(body["Env"], json({"A=b=c"}));
  EXPECT_EQ(host["Memory"], 1 << 20);
  EXPECT_EQ(host["MemorySwap"], 1 << 20);
  EXPECT_EQ(host["NanoCpus"], 500'000'000);
  EXPECT_EQ(host["PidsLimit"], 64);
  EXPECT_EQ(host["ShmSize"], 8192);
  EXPECT_EQ(host["Tmpfs"]["/tmp"], "mode=1777,size=4096");
  EXPECT_EQ(host["Mounts"][0]["ReadOnly"], true);
  EXPECT_EQ(host["Ulimits"][0]["Hard"], 20);
  EXPECT_EQ(host["Devices"][0],
            json({{"PathOnHost", "/dev/a"}, {"PathInContainer", "/dev/b"}, {"CgroupPermissions", "r"}}));
  EXPECT_EQ(host["DeviceRequests"], json::parse(R"([{"Capabilities": [["gpu"]], "Count": -1}])"));
  EXPECT_EQ(host["NetworkMode"], "none");
  EXPECT_EQ(host["IpcMode"], "private");
  EXPECT_EQ(host["Init"], false);
}

TEST(Encode, GpusAreCountedOrNamed) {
  const auto text = EncodeContainer({.image = "img", .gpus = GpuRequest{.ids = {"0", "GPU-1"}}});
  ASSERT_TRUE(text);
  EXPECT_EQ(json::parse(*text)["HostConfig"]["DeviceRequests"],
            json::parse(R"([{"Capabilities": [["gpu"]], "DeviceIDs": ["0", "GPU-1"]}])"));
}

TEST(Encode, RefusesWhatIsNoTextOrNoObject) {
  EXPECT_EQ(EncodeContainer({.image = "\xff\xfe"}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(EncodeContainer({.image = "a", .extra_json = "[1]"}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(EncodeContainer({.image = "a", .env = {{"A=B", "c"}}}).error().code(), ErrorCode::kInvalidArgument);
}

TEST(Decode, NamesTheMemberThatIsWrong) {
  const auto container =
      DecodeContainer("inspect", R"({"Id": "abc", "State": {"Status": "running", "Running": "yes"}})");
  ASSERT_FALSE(container);
  EXPECT_EQ(container.error().code(), ErrorCode::kPeerCorrupt);
  EXPECT_THAT(container.error().message(), HasSubstr("'/State/Running' in the answer is not true or false"));
}

TEST(Decode, SurvivesAnythingThatIsJson) {
  for (const auto* body :
       {"null", "[]", "3", "\"x\"", "{}", R"({"Id": 3})", R"({"Id": "x", "Config": [1]})",
        R"({"Id": "x", "State": null})", R"({"Id": "x", "Config": {"Labels": {"a": 1}}})", "", "{", "\xff"}) {
    for (const auto code : {DecodeContainer("x", body).error().code(), DecodeVersion("x", body).error().code()}) {
      EXPECT_EQ(code, ErrorCode::kPeerCorrupt) << body;
    }
    (void)DecodeContainers("x", fmt::format("[{}]", body));  // whatever it says, it does not throw
    EXPECT_FALSE(DecodeEvent("x", body)) << body;
  }
}

TEST(Decode, ApiVersionsCompareAsNumbers) {
  EXPECT_LT(ParseApiVersion("1.9").value(), ParseApiVersion("1.41").value());
  for (const auto* text : {"", "1", "1.", ".1", "1.4x", "-1.2", "1.-2", "v1.41"})
    EXPECT_FALSE(ParseApiVersion(text)) << text;
}

TEST(HttpError, KeepsTheEnginesWords) {
  const auto conflict = HttpError("remove image 'x'", 409, R"({"message": "image is being used by container 12"})");
  EXPECT_EQ(conflict.code(), ErrorCode::kConflict);
  EXPECT_EQ(conflict.message(),
            "cannot remove image 'x': image is being used by container 12 (Docker engine, HTTP 409)");
  EXPECT_EQ(HttpError("x", 500, R"({"message": "write /x: no space left on device"})").code(), ErrorCode::kExhausted);
  EXPECT_EQ(HttpError("x", 500, "<html>").code(), ErrorCode::kUnavailable);
  EXPECT_THAT(HttpError("x", 502, "<html>bad gateway</html>\n").message(), HasSubstr("<html>bad gateway</html> ("));
}

TEST(PercentEncode, KeepsOnlyWhatIsSafe) {
  EXPECT_EQ(PercentEncode("a b/c?d&é"), "a%20b%2Fc%3Fd%26%C3%A9");
  EXPECT_EQ(PercentEncode("repo/name:tag", "/:"), "repo/name:tag");
  EXPECT_EQ(Query({{"a", ""}, {"b", "1"}, {"c", "x=y"}}), "?b=1&c=x%3Dy");
}

TEST(WriteTar, ReadsFilesWhenItIsWritten) {
  const auto file = std::filesystem::temp_directory_path() / ("tar-" + base::NewUuidV7());
  std::ofstream(file) << "abc";
  std::string streamed;
  const auto sink = [&](std::string_view piece) -> base::Status {
    streamed.append(piece);
    return {};
  };
  ASSERT_TRUE(WriteTar({{.path = "a", .source = file, .source_bytes = 3}}, sink));
  EXPECT_EQ(streamed, MakeTar({{.path = "a", .content = "abc"}}).value());
  for (const std::uint64_t size : {2U, 4U}) {
    const auto changed = WriteTar({{.path = "a", .source = file, .source_bytes = size}}, sink);
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().code(), base::ErrorCode::kConflict);
  }
  std::filesystem::remove(file);
}

TEST(WriteTar, PassesTheSinksErrorOn) {
  const auto full =
      WriteTar({{.path = "a", .content = std::string(100'000, 'x')}},
               [](std::string_view) -> base::Status { return base::Fail(base::ErrorCode::kExhausted, "full"); });
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().message(), "full");
}

TEST(MakeTar, DependsOnTheEntriesOnly) {
  const TarEntry a{.path = "a", .content = "1"};
  const TarEntry b{.path = "b/", .mode = 0755};
  const TarEntry c{.path = "b/c", .link_target = "../a"};
  const auto tar = MakeTar({a, b, c});
  ASSERT_TRUE(tar) << tar.error().ToString();
  EXPECT_EQ(*tar, MakeTar({c, a, b}).value());
  EXPECT_EQ(tar->size() % 512, 0U);
}

TEST(MakeTar, RefusesPathsThatLeaveTheArchive) {
  EXPECT_EQ(MakeTar({{.path = "/etc/passwd"}}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(MakeTar({{.path = ""}}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(MakeTar({{.path = "a"}, {.path = "a"}}).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace penstock::docker
