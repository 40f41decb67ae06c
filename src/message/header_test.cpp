#include "message/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "message/array_layout.h"

namespace penstock::message {
namespace {
using base::ErrorCode;

auto AudioHeader(std::int64_t frames, std::int64_t channels) -> Header {
  Header header;
  header.size = sizeof(Header);
  header.kind = Kind::kAudio;
  header.rate = 16000;
  header.dtype = {.code = 2, .bits = 32, .lanes = 1};
  header.dimensions = 2;
  header.shape[0] = frames;
  header.shape[1] = channels;
  header.payload_bytes = static_cast<std::uint64_t>(frames * channels) * 4;
  return header;
}

TEST(Header, AcceptsAudioWhoseShapeMatchesItsBytes) { EXPECT_TRUE(Validate(AudioHeader(320, 1), 1280)); }
TEST(Header, AcceptsAnEmptyMessage) { EXPECT_TRUE(Validate(AudioHeader(0, 1), 0)); }

TEST(Header, RefusesAPayloadLargerThanItsChunk) {
  EXPECT_EQ(Validate(AudioHeader(320, 1), 1279).error().code(), ErrorCode::kPeerCorrupt);
}

TEST(Header, RefusesMetadataThatReachesBeyondTheChunk) {
  auto header = AudioHeader(320, 1);
  header.metadata_bytes = 16;
  EXPECT_TRUE(Validate(header, 1296));
  EXPECT_FALSE(Validate(header, 1295));
  header.metadata_bytes = std::numeric_limits<std::uint32_t>::max();
  EXPECT_FALSE(Validate(header, 1296));
}

TEST(Header, RefusesShapesThatOverflowOrAreNegative) {
  auto header = AudioHeader(320, 1);
  header.shape[0] = std::numeric_limits<std::int64_t>::max();
  header.shape[1] = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(Validate(header, 1280));
  header.shape[0] = -320;
  header.shape[1] = -1;
  EXPECT_FALSE(Validate(header, 1280));
}

TEST(Header, RefusesMoreDimensionsThanThereAreWhateverTheKind) {
  for (const auto kind : {Kind::kBytes, Kind::kText, Kind::kJson, Kind::kControl, Kind::kTensor}) {
    auto header = AudioHeader(320, 1);
    header.kind = kind;
    EXPECT_TRUE(Validate(header, 1280));
    header.dimensions = 255;
    EXPECT_EQ(Validate(header, 1280).error().code(), ErrorCode::kPeerCorrupt) << ToString(kind);
  }
}

TEST(Header, RefusesAnEmptyArrayWhoseOtherDimensionsOverflow) {
  auto header = AudioHeader(0, 1);
  header.kind = Kind::kTensor;
  header.dimensions = 3;
  header.shape = {0, 3, 1000};
  EXPECT_TRUE(Validate(header, 0));
  header.shape = {0, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max()};
  EXPECT_FALSE(Validate(header, 0));
}

TEST(ArrayLayout, StridesOfAnEmptyArrayAreThoseOfItsOtherDimensions) {
  auto header = AudioHeader(0, 1);
  header.kind = Kind::kTensor;
  header.dimensions = 3;
  header.shape = {0, 3, 1000};
  const auto layout = ArrayLayout::Of(header);
  EXPECT_THAT(layout.strides, testing::ElementsAre(12000, 4000, 4, 0, 0, 0, 0, 0));
  EXPECT_STREQ(layout.format, "f");
}

TEST(Header, RefusesOtherVersionsAndUnknownKinds) {
  auto header = AudioHeader(320, 1);
  header.version = 2;
  EXPECT_FALSE(Validate(header, 1280));
  header.version = kHeaderVersion;
  header.kind = static_cast<Kind>(77);
  EXPECT_FALSE(Validate(header, 1280));
}

}  // namespace
}  // namespace penstock::message
