#include "transport/segment.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "transport/iceoryx2/bridge.h"
#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using testing::Must;
using testing::TestPipeline;

struct Shape {
  std::uint64_t max_message_bytes;
  std::uint32_t buffer;
  std::uint32_t history;
  std::uint32_t max_held;
  std::size_t consumers;
};

class SegmentTest : public testing::Watched {
 protected:
  // The library's publisher alone, with as many loans as it has chunks.
  static auto Open(TestPipeline& pipeline, const Shape& shape, std::size_t loans) -> iceoryx2::Output {
    return Must(iceoryx2::Output::Open(
        {.root = RealmPath(pipeline.realm().get()),
         .name = "bare",
         .buffer = shape.buffer,
         .history = shape.history,
         .max_held = shape.max_held},
        {.max_message_bytes = shape.max_message_bytes, .consumers = shape.consumers, .max_loans = loans}));
  }
  static auto Find(TestPipeline& pipeline, const iceoryx2::ChunkLayout& layout) -> Segment {
    return Must(FindSegment(pipeline.realm().get(), layout.first,
                            {.first = 0,
                             .stride = layout.stride,
                             .header_bytes = layout.header_bytes,
                             .chunks = static_cast<std::uint32_t>(layout.chunks)}));
  }
};

// What is computed is where the library puts them: every chunk is borrowed at once, filled, and read through the file.
TEST_F(SegmentTest, EveryChunkLiesWhereTheLayoutSays) {
  constexpr std::array<Shape, 5> kShapes{
      {{1, 1, 0, 1, 1}, {100, 3, 2, 2, 3}, {4096, 8, 8, 5, 1}, {1'000'003, 2, 2, 2, 2}, {64U << 20U, 8, 8, 5, 2}}};
  for (const auto& shape : kShapes) {
    TestPipeline pipeline({.edges = {{}}});
    constexpr std::size_t kLoans = 40;
    const auto output = Open(pipeline, shape, kLoans);
    const auto segment = Find(pipeline, Must(output.Layout()));
    EXPECT_EQ(segment.layout.chunks, shape.consumers * (shape.buffer + shape.max_held) + shape.history + kLoans);
    EXPECT_GE(segment.layout.stride, segment.layout.header_bytes + shape.max_message_bytes);
    struct stat file{};
    ASSERT_EQ(::fstat(segment.fd.get(), &file), 0);
    EXPECT_LE(segment.layout.first + segment.layout.chunks * segment.layout.stride,
              static_cast<std::uint64_t>(file.st_size));

    std::vector<iceoryx2::Chunk> chunks;
    std::set<std::uint64_t> indices;
    for (std::size_t i = 0; i < kLoans; ++i) {
      auto chunk = Must(output.Borrow(std::min<std::uint64_t>(shape.max_message_bytes, 8192)));
      const auto index = segment.ChunkOf(chunk.bytes.data());
      ASSERT_LT(index, segment.layout.chunks);
      EXPECT_TRUE(indices.insert(index).second);
      const auto offset = segment.layout.first + index * segment.layout.stride + segment.layout.header_bytes;
      EXPECT_EQ(chunk.bytes.data(), segment.base + offset);
      chunk.bytes.front() = static_cast<std::byte>(i + 1);
      std::byte read{};
      ASSERT_EQ(::pread(segment.fd.get(), &read, 1, static_cast<off_t>(offset)), 1);
      EXPECT_EQ(read, static_cast<std::byte>(i + 1));
      chunks.push_back(std::move(chunk));
    }
  }
}

TEST_F(SegmentTest, AChunkOfAnotherOutputIsNoneOfIts) {
  TestPipeline pipeline({.edges = {{}}});
  TestPipeline elsewhere({.edges = {{}}});
  auto output = pipeline.OpenOutput();
  auto other = elsewhere.OpenOutput();
  auto own = Must(output->Borrow(1));
  auto foreign = Must(other->Borrow(1));
  EXPECT_LT(output->segment().ChunkOf(own.bytes().data()), output->segment().layout.chunks);
  EXPECT_GE(output->segment().ChunkOf(foreign.bytes().data()), output->segment().layout.chunks);
  EXPECT_TRUE(output->segment().Contains(own.bytes()));
  EXPECT_FALSE(output->segment().Contains(foreign.bytes()));
  EXPECT_FALSE(output->segment().Contains({own.bytes().data(), std::size_t{1} << 40U}));
}

TEST_F(SegmentTest, MemoryThatIsNoFilesIsRefused) {
  TestPipeline pipeline({.edges = {{}}});
  const auto nothing = std::make_unique<std::byte>();
  EXPECT_FALSE(FindSegment(pipeline.realm().get(), nothing.get(), {}));
}

}  // namespace
}  // namespace penstock::transport
