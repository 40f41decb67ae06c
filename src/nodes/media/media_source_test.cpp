// The node as the worker meets it: loaded from the plugin's file, through the plugin's one symbol.
#include "nodes/media/media_source.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/unique_fd.h"
#include "nodes/media/test_audio.h"
#include "nodes/testing/recording_context.h"

namespace penstock::nodes::media {
namespace {

using namespace std::chrono_literals;
using base::Deadline;
using nlohmann::json;
using ::testing::HasSubstr;
using testing::RecordingContext;

class MediaSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    library_ = ::dlopen(PENSTOCK_MEDIA_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << ::dlerror();
    const auto entry = reinterpret_cast<PluginEntry>(::dlsym(library_, kPluginEntry));
    ASSERT_NE(entry, nullptr);
    const auto* plugin = entry();
    ASSERT_EQ(plugin->abi_version, Plugin::kAbiVersion);
    ASSERT_GE(plugin->node_count, 1U);
    EXPECT_STREQ(plugin->nodes[0].name, "media.source");
    node_.reset(plugin->nodes[0].create());
  }
  void TearDown() override {
    node_.reset();  // before its code goes
    if (library_ != nullptr) ::dlclose(library_);
  }

  auto File(const Pcm& pcm) -> std::string { return WriteWav(directory_ / "a.wav", pcm).string(); }

  TemporaryDirectory directory_;
  void* library_ = nullptr;
  std::unique_ptr<Node> node_;
};

TEST_F(MediaSourceTest, SendsFramesThatPassTheHeadersChecks) {
  const auto pcm = Ramp(16000, 2, 800);
  ASSERT_TRUE(node_->Setup(json{{"url", File(pcm)}}));
  RecordingContext context;
  ASSERT_TRUE(node_->Run(context));
  ASSERT_EQ(context.published.size(), 3);  // 20, 20 and 10 ms
  std::vector<float> samples;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& header = context.published[i]->header();
    const auto bytes = context.published[i]->bytes();
    EXPECT_TRUE(message::Validate(header, bytes.size()));
    EXPECT_EQ(header.kind, message::Kind::kAudio);
    EXPECT_NE(header.flags & message::kFlagHasMediaTime, 0);
    EXPECT_EQ(header.media_time_ns, static_cast<std::int64_t>(i) * 20'000'000);
    EXPECT_EQ(header.rate, 16000);
    EXPECT_EQ(header.shape[0], i < 2 ? 320 : 160);
    EXPECT_EQ(header.shape[1], 2);
    const auto before = samples.size();
    samples.resize(before + bytes.size() / sizeof(float));
    std::memcpy(samples.data() + before, bytes.data(), bytes.size());
  }
  ASSERT_EQ(samples.size(), pcm.samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) ASSERT_EQ(samples[i] * 32768.0F, static_cast<float>(pcm.samples[i]));
  EXPECT_TRUE(context.waits.empty());
  EXPECT_TRUE(node_->Teardown());
}

TEST_F(MediaSourceTest, RealtimeWaitsByAbsoluteTimesUntilEachFrameIsComplete) {
  ASSERT_TRUE(node_->Setup(json{{"url", File(Ramp(16000, 1, 1600))}, {"realtime", true}}));
  RecordingContext context;
  ASSERT_TRUE(node_->Run(context));
  ASSERT_EQ(context.waits.size(), 5);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(context.waits[i] - context.waits[i - 1], 20ms);
}

TEST_F(MediaSourceTest, WhatWasSentBeforeIsNotWaitedForASecondTime) {
  ASSERT_TRUE(node_->Setup(json{{"url", File(Ramp(16000, 1, 1600))}, {"realtime", true}}));
  EXPECT_EQ(node_->replay(), Replay::kSame);
  RecordingContext context;
  context.published_before = 3;
  ASSERT_TRUE(node_->Run(context));
  ASSERT_EQ(context.waits.size(), 5);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_LE(context.waits[i], Deadline::Clock::now()) << "its time has come";
  for (std::size_t i = 3; i < 5; ++i) EXPECT_EQ(context.waits[i] - context.waits[i - 1], 20ms);
}

TEST_F(MediaSourceTest, StopEndsTheStream) {
  ASSERT_TRUE(node_->Setup(json{{"url", File(Ramp(16000, 1, 16000))}}));
  RecordingContext context;
  context.stop_after = 7;
  EXPECT_TRUE(node_->Run(context));
  EXPECT_EQ(context.published.size(), 7);
}

TEST_F(MediaSourceTest, StopDuringAWaitEndsTheStream) {
  ASSERT_TRUE(node_->Setup(json{{"url", File(Ramp(16000, 1, 16000))}, {"realtime", true}}));
  RecordingContext context;
  context.refuse_wait_after = 3;
  EXPECT_TRUE(node_->Run(context));
  EXPECT_EQ(context.published.size(), 3);
}

TEST_F(MediaSourceTest, StopWhileAPipeIsSilentEndsTheStream) {
  ::alarm(120);
  // Given a pipe with more than FFmpeg reads before it begins, whose writer keeps it open
  const auto pipe = (directory_ / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const base::UniqueFd writer(::open(pipe.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  const std::string audio(500'000, 'a');
  ASSERT_GE(::fcntl(writer.get(), F_SETPIPE_SZ, audio.size()), 0);
  ASSERT_EQ(::write(writer.get(), audio.data(), audio.size()), static_cast<ssize_t>(audio.size()));
  ASSERT_TRUE(node_->Setup(json{{"url", pipe}, {"format", "s16le"}}));
  RecordingContext context;
  // When a stop comes while the node waits for more
  EXPECT_TRUE(node_->Run(context));
  // Then frames that had come were sent: 250,000 samples are 283 of 882, and the last ones are in what was being read
  EXPECT_GT(context.published.size(), 200);
  EXPECT_LE(context.published.size(), 283);
  EXPECT_TRUE(node_->Teardown());
  ::alarm(0);
}

TEST_F(MediaSourceTest, BadParametersAndFilesAreReportedBySetup) {
  const auto unknown = node_->Setup(json{{"uri", "a.wav"}});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message(), HasSubstr("did you mean 'url'"));
  const auto missing = node_->Setup(json{{"url", (directory_ / "nowhere.wav").string()}});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message(), HasSubstr("nowhere.wav"));
}

TEST_F(MediaSourceTest, TruncatedFileFailsAfterItsFramesWereSent) {
  const auto file = File(Ramp(16000, 1, 16000));
  std::filesystem::resize_file(file, 44 + 2 * 3200);
  ASSERT_TRUE(node_->Setup(json{{"url", file}}));
  RecordingContext context;
  const auto status = node_->Run(context);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message(), HasSubstr("truncated"));
  EXPECT_EQ(context.published.size(), 10);
}

}  // namespace
}  // namespace penstock::nodes::media
