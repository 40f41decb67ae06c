#include "nodes/media/media_sink.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "nodes/media/audio_decoder.h"
#include "nodes/media/test_audio.h"
#include "nodes/media/wav_file.h"
#include "nodes/testing/recording_context.h"

namespace penstock::nodes::media {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::MemoryReceived;
using testing::RecordingContext;

auto AudioMessage(const std::vector<float>& samples, int rate, int channels) {
  message::Header header;
  header.kind = message::Kind::kAudio;
  header.dtype = {.code = 2, .bits = 32, .lanes = 1};
  header.rate = static_cast<std::uint32_t>(rate);
  header.dimensions = 2;
  header.shape = {static_cast<std::int64_t>(samples.size()) / channels, channels};
  return std::make_unique<MemoryReceived>(
      header, std::string_view(reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(float)));
}

auto Floats(const Pcm& pcm) -> std::vector<float> {
  std::vector<float> samples;
  for (const auto sample : pcm.samples) samples.push_back(static_cast<float>(sample) / 32768.0F);
  return samples;
}

class MediaSinkTest : public ::testing::Test {
 protected:
  auto Path(const char* name) const -> std::string { return (directory_ / name).string(); }
  // In messages of so many samples.
  void Give(Node& node, const std::vector<float>& samples, int rate, int channels, std::size_t step = 700) {
    for (std::size_t at = 0; at < samples.size(); at += step) {
      const auto end = std::min(at + step, samples.size());
      const std::vector<float> part(samples.begin() + static_cast<std::ptrdiff_t>(at),
                                    samples.begin() + static_cast<std::ptrdiff_t>(end));
      const auto done = node.Process(context_, "in", AudioMessage(part, rate, channels));
      ASSERT_TRUE(done) << done.error().ToString();
    }
  }
  void End(Node& node) {
    ASSERT_TRUE(node.Finish(context_));
    ASSERT_TRUE(node.Teardown());
  }
  static auto Decoded(const std::string& file, int rate, int channels) -> std::vector<float> {
    auto decoder = AudioDecoder::Open({.file = file});
    if (!decoder) throw std::runtime_error(decoder.error().ToString());
    EXPECT_EQ(decoder->rate(), rate);
    EXPECT_EQ(decoder->channels(), channels);
    std::vector<float> samples;
    for (;;) {
      const auto more = decoder->Decode(samples);
      if (!more) throw std::runtime_error(more.error().ToString());
      if (!*more) return samples;
    }
  }
  static auto ProblemOf(const json& params) -> std::string {
    const auto status = MediaSink().Setup(params);
    return status ? "no problem" : status.error().message();
  }

  TemporaryDirectory directory_;
  RecordingContext context_;
};

TEST_F(MediaSinkTest, WhatIsWrittenIsWhatWasSent) {
  const auto samples = Floats(Ramp(16000, 2, 5000));
  for (const auto* name : {"a.wav", "a.FLAC", "a.flac"}) {
    for (const auto* format : {"s16", "s24"}) {
      SCOPED_TRACE(std::string(name) + " " + format);
      MediaSink node;
      ASSERT_TRUE(node.Setup({{"path", Path(name)}, {"samples", format}}));
      Give(node, samples, 16000, 2);
      End(node);
      EXPECT_EQ(Decoded(Path(name), 16000, 2), samples);
    }
  }
}

TEST_F(MediaSinkTest, FloatsAreStoredAsTheyAreAndIntegersCutOffAtFullScale) {
  const std::vector<float> samples{0.1F, -1.0F, 1.0F, 1.5F, -2.0F, std::numeric_limits<float>::denorm_min()};
  MediaSink floats;
  ASSERT_TRUE(floats.Setup({{"path", Path("f.wav")}, {"samples", "f32"}}));
  Give(floats, samples, 8000, 1);
  End(floats);
  EXPECT_EQ(Decoded(Path("f.wav"), 8000, 1), samples);
  MediaSink integers;
  ASSERT_TRUE(integers.Setup({{"path", Path("i.wav")}}));
  Give(integers, samples, 8000, 1);
  End(integers);
  constexpr float kMost = 32767.0F / 32768.0F;
  EXPECT_EQ(Decoded(Path("i.wav"), 8000, 1), (std::vector{3277.0F / 32768.0F, -1.0F, kMost, kMost, -1.0F, 0.0F}));
}

TEST_F(MediaSinkTest, AWavFileIsWholeAfterEachMessage) {
  MediaSink node;
  ASSERT_TRUE(node.Setup({{"path", Path("a.wav")}, {"samples", "s24"}}));
  const auto samples = Floats(Ramp(8000, 1, 3));
  Give(node, samples, 8000, 1);
  EXPECT_EQ(Decoded(Path("a.wav"), 8000, 1), samples);  // nine bytes: the chunk is padded
  EXPECT_EQ(std::filesystem::file_size(Path("a.wav")) % 2, 0U);
  Give(node, samples, 8000, 1);
  EXPECT_EQ(Decoded(Path("a.wav"), 8000, 1).size(), 6U);
}

TEST_F(MediaSinkTest, ASuccessorGoesOnInAWavFileAfterWhatWasAccountedFor) {
  const auto samples = Floats(Ramp(8000, 2, 2000));
  const std::vector<float> half(samples.begin(), samples.begin() + 2000);
  const json params{{"path", Path("a.wav")}};
  MediaSink failed;
  ASSERT_TRUE(failed.Setup(params));
  const auto nothing = failed.Checkpoint();
  Give(failed, half, 8000, 2);
  const auto state = failed.Checkpoint();
  Give(failed, half, 8000, 2);  // written, and not accounted for

  MediaSink next;
  ASSERT_TRUE(next.Resume(params));
  ASSERT_TRUE(next.Restore(state));
  EXPECT_EQ(Decoded(Path("a.wav"), 8000, 2), half);
  Give(next, {samples.begin() + 2000, samples.end()}, 8000, 2);
  End(next);
  EXPECT_EQ(Decoded(Path("a.wav"), 8000, 2), samples);

  MediaSink anew;
  ASSERT_TRUE(anew.Resume(params));
  ASSERT_TRUE(anew.Restore(nothing));
  Give(anew, half, 8000, 2);
  End(anew);
  EXPECT_EQ(Decoded(Path("a.wav"), 8000, 2), half);
}

TEST_F(MediaSinkTest, AStateThatIsDamagedAndAFlacFileThatWasBegunAreRefused) {
  MediaSink wav;
  ASSERT_TRUE(wav.Resume({{"path", Path("a.wav")}}));
  for (const auto* state : {"x", "{}", R"({"rate": 1, "channels": 1, "bytes": -1})"}) EXPECT_FALSE(wav.Restore(state));
  const auto status = MediaSink().Resume({{"path", Path("a.flac")}});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message(), AllOf(HasSubstr("cannot go on in the FLAC file"), HasSubstr("write WAV")));
}

TEST_F(MediaSinkTest, OtherMessagesAreRefused) {
  MediaSink node;
  ASSERT_TRUE(node.Setup({{"path", Path("a.wav")}}));
  Give(node, {0.5F, 0.5F}, 8000, 1);
  const auto problem = [&](std::unique_ptr<Received> message) {
    const auto status = node.Process(context_, "in", std::move(message));
    return status ? "no problem" : status.error().message();
  };
  EXPECT_EQ(problem(testing::TextMessage("x")), "media.sink takes Audio at input 'in', but received Text");
  EXPECT_THAT(problem(AudioMessage({0.5F, 0.5F}, 8000, 2)), HasSubstr("has 8000 Hz and 1 channels, and the message 0"));
  EXPECT_THAT(problem(AudioMessage({0.5F, 0.5F}, 16000, 1)), HasSubstr("give each its own media.sink"));
  EXPECT_FALSE(node.output_is_broken());
}

TEST_F(MediaSinkTest, FlacSaysWhatItDoesNotHave) {
  MediaSink node;
  ASSERT_TRUE(node.Setup({{"path", Path("a.flac")}}));
  const auto status = node.Process(context_, "in", AudioMessage(std::vector<float>(9), 8000, 9));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message(), HasSubstr("would have 9 channels, and FLAC has 8 at most: write WAV"));
}

TEST_F(MediaSinkTest, AStreamWithoutAudioLeavesAnEmptyFile) {
  MediaSink node;
  ASSERT_TRUE(node.Setup({{"path", Path("a.flac")}}));
  End(node);
  EXPECT_EQ(std::filesystem::file_size(Path("a.flac")), 0U);
}

TEST_F(MediaSinkTest, EachWrongParameterIsNamed) {
  EXPECT_EQ(ProblemOf(json::object()),
            "params of media.sink: 'path' is required (a path that ends with .wav or .flac)");
  EXPECT_EQ(
      ProblemOf({{"path", "a.mp3"}, {"samples", "s8"}, {"rate", 1}}),
      "params of media.sink: 'path' must be a path that ends with .wav or .flac, not \"a.mp3\"; 'samples' must be "
      "s16, s24 or f32, not \"s8\"; unknown parameter 'rate' (known: path, samples)");
  EXPECT_THAT(ProblemOf({{"path", Path("a.flac")}, {"samples", "f32"}}),
              HasSubstr("FLAC has no samples f32: write s24"));
  EXPECT_THAT(ProblemOf({{"path", Path("none/a.wav")}}), HasSubstr("none/a.wav' for writing: No such file"));
  std::filesystem::create_symlink("/dev/null", directory_ / "null.wav");
  EXPECT_THAT(ProblemOf({{"path", Path("null.wav")}}), HasSubstr("it is no ordinary file"));
}

TEST(WavFile, IsFullAtFourGibibytes) {
  const TemporaryDirectory directory;
  const auto path = directory / "a.wav";
  std::ofstream(path).flush();
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  const std::uint64_t almost = std::numeric_limits<std::uint32_t>::max() - 47;  // sparse
  auto file = WavFile::Continue(std::move(fd), {.name = "a.wav", .rate = 8000, .channels = 1}, almost);
  ASSERT_TRUE(file) << file.error().ToString();
  const auto status = (*file)->Write(std::vector<float>(100));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), base::ErrorCode::kExhausted);
  EXPECT_THAT(status.error().message(), HasSubstr("a WAV file holds 4 GiB. Write FLAC"));
}

}  // namespace
}  // namespace penstock::nodes::media
