#include "nodes/media/audio_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "nodes/media/test_audio.h"

namespace penstock::nodes::media {
namespace {

using base::ErrorCode;
using testing::AllOf;
using testing::HasSubstr;

struct Decoded {
  int rate = 0;
  int channels = 0;
  std::vector<float> samples = {};
  std::optional<base::Error> error = {};
};

auto DecodeAll(const AudioDecoderOptions& options) -> Decoded {
  auto decoder = AudioDecoder::Open(options);
  if (!decoder) return {.error = decoder.error()};
  Decoded result{.rate = decoder->rate(), .channels = decoder->channels()};
  for (;;) {
    auto more = decoder->Decode(result.samples);
    if (!more) result.error = more.error();
    if (!more || !*more) return result;
  }
}

auto AsFloats(const Pcm& pcm) -> std::vector<float> {
  std::vector<float> floats;
  for (const auto sample : pcm.samples) floats.push_back(static_cast<float>(sample) / 32768.0F);
  return floats;
}

auto ReadBytes(const std::filesystem::path& file) -> std::string {
  std::ostringstream bytes;
  bytes << std::ifstream(file, std::ios::binary).rdbuf();
  return bytes.str();
}

class AudioDecoderTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
};

TEST_F(AudioDecoderTest, WavIsGivenSampleForSample) {
  for (const int channels : {1, 2, 6}) {
    const auto pcm = Ramp(16000, channels, 12345);
    const auto decoded = DecodeAll({.file = WriteWav(directory_ / "a.wav", pcm)});
    ASSERT_FALSE(decoded.error) << decoded.error->ToString();
    EXPECT_EQ(decoded.rate, 16000);
    EXPECT_EQ(decoded.channels, channels);
    EXPECT_EQ(decoded.samples, AsFloats(pcm));
  }
}

TEST_F(AudioDecoderTest, FlacIsGivenSampleForSample) {
  const auto pcm = Ramp(44100, 2, 50000);
  const auto decoded = DecodeAll({.file = Encode(directory_ / "a.flac", pcm)});
  ASSERT_FALSE(decoded.error) << decoded.error->ToString();
  EXPECT_EQ(decoded.samples, AsFloats(pcm));
}

TEST_F(AudioDecoderTest, HeaderlessG722IsKnownByItsExtension) {
  const auto file = Encode(directory_ / "a.g722", Sine(16000, 1, 16000, 440));
  const auto decoded = DecodeAll({.file = file});
  ASSERT_FALSE(decoded.error) << decoded.error->ToString();
  EXPECT_EQ(decoded.rate, 16000);
  EXPECT_EQ(decoded.channels, 1);
  EXPECT_EQ(decoded.samples.size(), 16000);
  EXPECT_NEAR(MeasuredHertz(decoded.samples, 16000, 1, 0), 440, 1);
}

TEST_F(AudioDecoderTest, HeaderlessAudioOfAnotherNameIsReadByTheGivenFormat) {
  const auto bytes = ReadBytes(Encode(directory_ / "a.g722", Sine(16000, 1, 16000, 440)));
  const auto decoded = DecodeAll({.file = WriteBytes(directory_ / "prompt.dat", bytes), .format = "g722"});
  ASSERT_FALSE(decoded.error) << decoded.error->ToString();
  EXPECT_EQ(decoded.samples.size(), 16000);
}

TEST_F(AudioDecoderTest, SlinExtensionTellsItsRate) {
  const auto decoded = DecodeAll({.file = WriteBytes(directory_ / "a.sln16", std::string(3200, '\1'))});
  ASSERT_FALSE(decoded.error) << decoded.error->ToString();
  EXPECT_EQ(decoded.rate, 16000);
  EXPECT_EQ(decoded.channels, 1);
  EXPECT_EQ(decoded.samples.size(), 1600);
}

TEST_F(AudioDecoderTest, ResamplingKeepsDurationToneAndLevel) {
  const auto file = WriteWav(directory_ / "a.wav", Sine(44100, 2, 3 * 44100, 1000, 0.5));
  const auto decoded = DecodeAll({.file = file, .rate = 16000, .channels = 1});
  ASSERT_FALSE(decoded.error) << decoded.error->ToString();
  EXPECT_EQ(decoded.rate, 16000);
  EXPECT_EQ(decoded.channels, 1);
  EXPECT_NEAR(static_cast<double>(decoded.samples.size()), 48000, 1);
  EXPECT_NEAR(MeasuredHertz(decoded.samples, 16000, 1, 0), 1000, 0.1);
  EXPECT_NEAR(Peak(decoded.samples), 0.5, 0.01);
}

TEST_F(AudioDecoderTest, MixingFullScaleChannelsDoesNotExceedFullScale) {
  const auto file = WriteWav(directory_ / "a.wav", Sine(16000, 2, 16000, 440, 1.0));
  const auto decoded = DecodeAll({.file = file, .channels = 1});
  EXPECT_LE(Peak(decoded.samples), 1.0F);
  EXPECT_NEAR(Peak(decoded.samples), 1.0, 0.01);
}

TEST_F(AudioDecoderTest, MonoIsSpreadOverMoreChannels) {
  const auto decoded = DecodeAll({.file = WriteWav(directory_ / "a.wav", Sine(16000, 1, 1600, 440)), .channels = 2});
  ASSERT_FALSE(decoded.error) << decoded.error->ToString();
  ASSERT_EQ(decoded.samples.size(), 3200);
  for (std::size_t i = 0; i < decoded.samples.size(); i += 2) EXPECT_EQ(decoded.samples[i], decoded.samples[i + 1]);
}

TEST_F(AudioDecoderTest, MissingFileIsNamed) {
  const auto decoded = DecodeAll({.file = directory_ / "nowhere.wav"});
  ASSERT_TRUE(decoded.error);
  EXPECT_EQ(decoded.error->code(), ErrorCode::kNotFound);
  EXPECT_THAT(decoded.error->message(), AllOf(HasSubstr("nowhere.wav"), HasSubstr("No such file")));
}

TEST_F(AudioDecoderTest, DirectoryIsRefused) {
  const auto decoded = DecodeAll({.file = directory_ / ""});
  ASSERT_TRUE(decoded.error);
  EXPECT_THAT(decoded.error->message(), HasSubstr("it is a directory"));
}

TEST_F(AudioDecoderTest, EmptyFileIsRefused) {
  const auto decoded = DecodeAll({.file = WriteBytes(directory_ / "a.wav", "")});
  ASSERT_TRUE(decoded.error);
  EXPECT_THAT(decoded.error->message(), HasSubstr("is empty"));
}

TEST_F(AudioDecoderTest, TextFileIsNotAudio) {
  for (const char* name : {"notes.txt", "notes.wav", "notes"}) {
    const auto decoded = DecodeAll({.file = WriteBytes(directory_ / name, "Dear all,\nthis is no recording.\n")});
    ASSERT_TRUE(decoded.error) << name;
    EXPECT_EQ(decoded.error->code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(decoded.error->message(), HasSubstr(name));
  }
}

TEST_F(AudioDecoderTest, UnknownFormatNameIsRefused) {
  const auto file = WriteWav(directory_ / "a.wav", Ramp(16000, 1, 100));
  const auto decoded = DecodeAll({.file = file, .format = "g723.9"});
  ASSERT_TRUE(decoded.error);
  EXPECT_THAT(decoded.error->message(), HasSubstr("'g723.9'"));
}

TEST_F(AudioDecoderTest, PlaylistCannotOpenOtherFiles) {
  const auto audio = WriteWav(directory_ / "a.wav", Sine(16000, 1, 16000, 440));
  for (const auto& list : {"ffconcat version 1.0\nfile 'a.wav'\n",
                           "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.wav\n#EXT-X-ENDLIST\n"}) {
    const auto decoded = DecodeAll({.file = WriteBytes(directory_ / "list.m3u8", list)});
    EXPECT_TRUE(decoded.error) << list;
    EXPECT_TRUE(decoded.samples.empty());
  }
}

TEST_F(AudioDecoderTest, TruncatedWavGivesWhatIsThereAndThenAnError) {
  const auto pcm = Ramp(16000, 1, 32000);
  const auto whole = ReadBytes(WriteWav(directory_ / "whole.wav", pcm));
  const auto decoded = DecodeAll({.file = WriteBytes(directory_ / "cut.wav", whole.substr(0, 44 + 20000))});
  ASSERT_TRUE(decoded.error);
  EXPECT_EQ(decoded.error->code(), ErrorCode::kPeerCorrupt);
  EXPECT_THAT(decoded.error->message(),
              AllOf(HasSubstr("cut.wav"), HasSubstr("truncated"), HasSubstr("2.00"), HasSubstr("0.6")));
  const auto expected = AsFloats(pcm);
  EXPECT_EQ(decoded.samples, std::vector<float>(expected.begin(), expected.begin() + 10000));
}

TEST_F(AudioDecoderTest, WavThatLacksSomeMillisecondsIsTruncated) {
  const auto file = WriteWav(directory_ / "a.wav", Ramp(16000, 1, 32000));
  std::filesystem::resize_file(file, 44 + 2 * 31900);
  EXPECT_TRUE(DecodeAll({.file = file}).error);
}

TEST_F(AudioDecoderTest, WavWhoseHeaderCountsItselfIsComplete) {
  auto bytes = ReadBytes(WriteWav(directory_ / "a.wav", Ramp(16000, 1, 100)));
  bytes[40] = static_cast<char>(200 + 44);
  const auto decoded = DecodeAll({.file = WriteBytes(directory_ / "sloppy.wav", bytes)});
  EXPECT_FALSE(decoded.error) << decoded.error->ToString();
  EXPECT_EQ(decoded.samples.size(), 100);
}

TEST_F(AudioDecoderTest, TruncatedFlacGivesAnError) {
  const auto whole = ReadBytes(Encode(directory_ / "whole.flac", Ramp(16000, 1, 32000)));
  const auto decoded = DecodeAll({.file = WriteBytes(directory_ / "cut.flac", whole.substr(0, whole.size() / 2))});
  ASSERT_TRUE(decoded.error);
  EXPECT_EQ(decoded.error->code(), ErrorCode::kPeerCorrupt);
  EXPECT_THAT(decoded.error->message(), HasSubstr("truncated"));
  EXPECT_FALSE(decoded.samples.empty());
}

TEST_F(AudioDecoderTest, DamagedFilesGiveAudioOrAnErrorAndAlwaysAnEnd) {
  // Given files with some bytes changed anywhere, headers included
  std::mt19937 random(1);
  for (const char* name : {"a.wav", "a.flac", "a.g722"}) {
    const auto file = directory_ / name;
    const auto whole = ReadBytes(Encode(file, Sine(16000, 1, 4800, 440)));
    for (int round = 0; round < 60; ++round) {
      auto bytes = whole;
      for (int i = 0; i < 8; ++i) bytes[random() % (i < 4 ? 64 : bytes.size())] = static_cast<char>(random());
      // When they are decoded
      const auto decoded = DecodeAll({.file = WriteBytes(file, bytes), .rate = 16000, .channels = 1});
      // Then there is an end, and an error says which file it is about
      EXPECT_TRUE(!decoded.error || decoded.error->message().find(name) != std::string::npos);
    }
  }
}

TEST_F(AudioDecoderTest, WavOfUnknownLengthIsReadToItsEnd) {
  // Given a WAV as programs write it into a pipe: no length in the header
  auto bytes = ReadBytes(WriteWav(directory_ / "a.wav", Ramp(16000, 1, 5000)));
  bytes.replace(4, 4, "\xFF\xFF\xFF\xFF");
  bytes.replace(40, 4, "\xFF\xFF\xFF\xFF");
  // When it is decoded
  const auto decoded = DecodeAll({.file = WriteBytes(directory_ / "piped.wav", bytes)});
  // Then all of it comes, without an error
  EXPECT_FALSE(decoded.error) << decoded.error->ToString();
  EXPECT_EQ(decoded.samples.size(), 5000);
}

}  // namespace
}  // namespace penstock::nodes::media
