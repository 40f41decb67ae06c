#include "base/mapping.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace penstock::base {
namespace {

TEST(Mapping, TwoMappingsOfOneMemfdShareMemory) {
  const auto fd = CreateSealedMemfd("test", 4096).value();
  const auto first = Mapping::Map(fd, 4096).value();
  const auto second = Mapping::Map(fd, 4096).value();
  std::memcpy(first.data(), "hello", 6);
  EXPECT_STREQ(static_cast<const char*>(second.data()), "hello");
}

TEST(Mapping, RefusesAFileSmallerThanWhatItMustHold) {
  const auto fd = CreateSealedMemfd("test", 4096).value();
  EXPECT_EQ(Mapping::Map(fd, 8192).error().code(), ErrorCode::kPeerCorrupt);
}

TEST(Mapping, SealedMemfdCannotBeResized) {
  const auto fd = CreateSealedMemfd("test", 4096).value();
  EXPECT_TRUE(HasSealedSize(fd));
  EXPECT_EQ(::ftruncate(fd.get(), 0), -1);
  EXPECT_EQ(errno, EPERM);
}

}  // namespace
}  // namespace penstock::base
