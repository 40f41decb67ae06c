#include "nodes/media/audio_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/media/test_audio.h"

namespace penstock::nodes::media {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using testing::HasSubstr;

struct Stream {
  std::vector<AudioReader::Frame> frames = {};
  std::vector<float> samples = {};
  std::size_t max_frame_bytes = 0;
  std::optional<base::Error> error = {};
};

auto ReadAll(AudioReaderOptions options) -> Stream {
  auto reader = AudioReader::Open(std::move(options));
  if (!reader) return {.error = reader.error()};
  Stream stream{.max_frame_bytes = reader->max_frame_bytes()};
  for (;;) {
    auto frame = reader->Next();
    if (!frame) stream.error = frame.error();
    if (!frame || !*frame) return stream;
    const auto before = stream.samples.size();
    stream.samples.resize(before + (*frame)->sample_count);
    reader->Read(std::span(stream.samples).subspan(before));
    stream.frames.push_back(**frame);
  }
}

class AudioReaderTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
};

TEST_F(AudioReaderTest, LastFrameIsShortAndNotPadded) {
  const auto stream = ReadAll({.files = {WriteWav(directory_ / "a.wav", Ramp(16000, 1, 16000 + 7))}});
  ASSERT_FALSE(stream.error);
  ASSERT_EQ(stream.frames.size(), 51);
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(stream.frames[i].frames, 320);
    EXPECT_EQ(stream.frames[i].time, 20ms * i);
  }
  EXPECT_EQ(stream.frames.back().frames, 7);
  EXPECT_EQ(stream.frames.back().time, 1s);
  EXPECT_EQ(stream.frames.back().end_time, 1s + nanoseconds(437'500));
}

TEST_F(AudioReaderTest, AnyFrameDurationGivesTheSameSamplesContiguously) {
  for (const int rate : {8000, 16000, 44100}) {
    const auto pcm = Ramp(rate, 2, rate + 123);
    const auto file = WriteWav(directory_ / "a.wav", pcm);
    const auto reference = ReadAll({.files = {file}, .frame_duration = 10s});
    ASSERT_EQ(reference.samples.size(), pcm.samples.size());
    for (const auto duration : {nanoseconds(125us), nanoseconds(1ms), nanoseconds(2'902'494), nanoseconds(7ms),
                                nanoseconds(20ms), nanoseconds(33'333'333), nanoseconds(1s)}) {
      const auto stream = ReadAll({.files = {file}, .frame_duration = duration});
      ASSERT_FALSE(stream.error);
      EXPECT_EQ(stream.samples, reference.samples) << rate << " Hz, " << duration.count() << " ns";
      auto expected_time = nanoseconds(0);
      std::int64_t samples = 0;
      for (const auto& frame : stream.frames) {
        EXPECT_EQ(frame.time, expected_time);
        EXPECT_EQ(frame.time.count(), samples * 1'000'000'000 / rate);
        EXPECT_LE(frame.sample_count * sizeof(float), stream.max_frame_bytes);
        expected_time = frame.end_time;
        samples += static_cast<std::int64_t>(frame.frames);
      }
    }
  }
}

TEST_F(AudioReaderTest, TimesDoNotDriftWhenFramesAreNoWholeNumberOfSamples) {
  // 25 ms at 44.1 kHz are 1102.5 samples: after an hour's worth of frames a rounded length would be 1.6 s off.
  const auto stream =
      ReadAll({.files = {WriteWav(directory_ / "a.wav", Ramp(44100, 1, 10 * 44100))}, .frame_duration = 25ms});
  ASSERT_EQ(stream.frames.size(), 400);
  for (std::size_t i = 0; i < stream.frames.size(); ++i) {
    const nanoseconds error = stream.frames[i].time - nanoseconds(25ms) * static_cast<std::int64_t>(i);
    EXPECT_LT(std::chrono::abs(error), nanoseconds(1'000'000'000 / 44100 + 1));
  }
}

TEST_F(AudioReaderTest, NextWithoutReadTellsTheSameFrame) {
  auto reader = AudioReader::Open({.files = {WriteWav(directory_ / "a.wav", Ramp(16000, 1, 640))}});
  ASSERT_TRUE(reader);
  const auto first = reader->Next();
  const auto again = reader->Next();
  ASSERT_TRUE(first && *first && again && *again);
  EXPECT_EQ((*first)->time, (*again)->time);
  EXPECT_EQ((*first)->frames, (*again)->frames);
}

TEST_F(AudioReaderTest, FilesFollowEachOtherWithPauses) {
  // Given two files of different rate and channels
  const auto first = WriteWav(directory_ / "a.wav", Ramp(16000, 1, 1000));
  const auto second = WriteWav(directory_ / "b.wav", Sine(48000, 2, 4800, 440));
  // When they are read with a pause
  const auto stream = ReadAll({.files = {first, second, first}, .pause = 50ms, .frame_duration = 20ms});
  // Then all has the first one's form, the pauses are silent, and time goes on through all of it
  ASSERT_FALSE(stream.error);
  ASSERT_NEAR(static_cast<double>(stream.samples.size()), 1000 + 800 + 1600 + 800 + 1000, 1);
  EXPECT_EQ(Peak({stream.samples.begin() + 1000, stream.samples.begin() + 1800}), 0.0F);
  EXPECT_NEAR(Peak({stream.samples.begin() + 1800, stream.samples.begin() + 3400}), 0.5, 0.02);
  const std::vector<float> head(stream.samples.begin(), stream.samples.begin() + 1000);
  EXPECT_EQ(std::vector<float>(stream.samples.end() - 1000, stream.samples.end()), head);
  for (std::size_t i = 0; i + 1 < stream.frames.size(); ++i) EXPECT_EQ(stream.frames[i].frames, 320);
}

TEST_F(AudioReaderTest, EveryFileOfAListIsCheckedBeforeTheFirstPlays) {
  const auto good = WriteWav(directory_ / "a.wav", Ramp(16000, 1, 1000));
  const auto stream = ReadAll({.files = {good, directory_ / "missing.wav"}});
  ASSERT_TRUE(stream.error);
  EXPECT_TRUE(stream.frames.empty());
  EXPECT_THAT(stream.error->message(), HasSubstr("missing.wav"));
}

TEST_F(AudioReaderTest, AnErrorComesAfterAllFramesThatCouldBeDecoded) {
  const auto file = WriteWav(directory_ / "a.wav", Ramp(16000, 1, 16000));
  std::filesystem::resize_file(file, 44 + 2 * 5000);
  const auto stream = ReadAll({.files = {file}});
  ASSERT_TRUE(stream.error);
  EXPECT_THAT(stream.error->message(), HasSubstr("truncated"));
  EXPECT_EQ(stream.samples.size(), 5000);
}

TEST_F(AudioReaderTest, FrameShorterThanASampleIsRefused) {
  const auto stream = ReadAll({.files = {WriteWav(directory_ / "a.wav", Ramp(8000, 1, 100))}, .frame_duration = 100us});
  ASSERT_TRUE(stream.error);
  EXPECT_THAT(stream.error->message(), HasSubstr("frame_ms"));
}

}  // namespace
}  // namespace penstock::nodes::media
