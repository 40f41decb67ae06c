#include "session/keep_message.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <thread>

#include "base/testing/temporary_directory.h"
#include "message/header.h"

namespace penstock::session {
namespace {

class KeepMessageTest : public ::testing::Test {
 protected:
  static auto TextHeader(std::uint64_t payload, std::uint32_t metadata) -> message::Header {
    message::Header header;
    header.size = sizeof(header);
    header.kind = message::Kind::kText;
    header.payload_bytes = payload;
    header.metadata_bytes = metadata;
    return header;
  }
  auto Keep(const std::string& sent, const std::string& id = "id", std::uint64_t room = observe::kQuarantineBytes)
      -> base::Expected<bool> {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const base::UniqueFd ours(ends[0]);
    base::UniqueFd theirs(ends[1]);
    const std::jthread worker([&sent, socket = std::move(theirs)] {
      std::size_t done = 0;
      while (done < sent.size()) {
        const auto count = ::send(socket.get(), sent.data() + done, sent.size() - done, MSG_NOSIGNAL);
        if (count <= 0) return;
        done += static_cast<std::size_t>(count);
      }
    });
    observe::Quarantined entry;
    entry.id = id;
    return KeepMessage(ours, {.chunk_bytes = 1U << 20U, .quarantine_bytes = room}, directory_.path(), std::move(entry));
  }
  static auto Bytes(const message::Header& header) -> std::string {
    return {reinterpret_cast<const char*>(&header), sizeof(header)};
  }
  auto Kept() const -> bool { return std::filesystem::exists(directory_.path() / "id"); }
  base::testing::TemporaryDirectory directory_;
};

TEST_F(KeepMessageTest, KeepsHeaderPayloadAndMetadata) {
  const auto sent = Bytes(TextHeader(5, 2)) + std::string("hello\0\0\0{}", 10);
  EXPECT_TRUE(Keep(sent).value());
  EXPECT_EQ(std::filesystem::file_size(directory_.path() / "id" / "message.bin"), sent.size());
}

TEST_F(KeepMessageTest, AMessageOfManyPiecesIsWhole) {
  const auto sent = Bytes(TextHeader(1'000'001, 0)) + std::string(1'000'001, 'x');
  EXPECT_TRUE(Keep(sent).value());
  EXPECT_EQ(std::filesystem::file_size(directory_.path() / "id" / "message.bin"), sent.size());
}

TEST_F(KeepMessageTest, WhatIsNotWholeIsNotKept) {
  const auto sent = Bytes(TextHeader(5, 0)) + "hello";
  for (std::size_t length = 0; length < sent.size(); length += 3) EXPECT_FALSE(Keep(sent.substr(0, length)).value());
  EXPECT_FALSE(Kept());
}

TEST_F(KeepMessageTest, NoMoreIsKeptThanTheQuarantineMayHold) {
  constexpr std::uint64_t kRoom = 100'000;
  const auto sent = Bytes(TextHeader(60'000, 0)) + std::string(60'000, 'x');
  EXPECT_TRUE(Keep(sent, "first", kRoom).value());
  const auto second = Keep(sent, "second", kRoom);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), base::ErrorCode::kExhausted);
  EXPECT_NE(second.error().message().find("penstock quarantine remove"), std::string::npos) << second.error().message();
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "second"));
  std::filesystem::remove_all(directory_.path() / "first");
  EXPECT_TRUE(Keep(sent, "second", kRoom).value());
}

TEST_F(KeepMessageTest, WhatAWorkerClaimsIsNotBelieved) {
  EXPECT_FALSE(Keep(Bytes(TextHeader(1U << 21U, 0))).value()) << "larger than its port allows";
  EXPECT_FALSE(Keep(Bytes(TextHeader(~std::uint64_t{0}, 9))).value()) << "a sum that overflows";
  EXPECT_FALSE(Keep(std::string(sizeof(message::Header), '\xff')).value());
  EXPECT_FALSE(Kept());
}

}  // namespace
}  // namespace penstock::session
