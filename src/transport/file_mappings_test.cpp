#include "transport/file_mappings.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "base/mapping.h"
#include "transport/test_pipeline.h"

namespace penstock::transport {
namespace {
using testing::Must;

constexpr std::size_t kSize = std::size_t{64} * 1024;

auto FileIn(const base::UniqueFd& realm, const char* name) -> base::Mapping {
  const base::UniqueFd file(::openat(realm.get(), name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(::ftruncate(file.get(), kSize), 0);
  return Must(base::Mapping::Map(file, kSize));
}

auto Bytes(const base::Mapping& mapping, std::size_t from, std::size_t count) -> std::span<const std::byte> {
  return {static_cast<const std::byte*>(mapping.data()) + from, count};
}

TEST(RealmMemory, IsWhatIsMappedOfTheRealmsFiles) {
  const auto realm = Must(Realm::Create(1U << 20U));
  const auto other = Must(Realm::Create(1U << 20U));
  const auto first = FileIn(realm.fd(), "first");
  auto memory = Must(RealmMemory::Of(realm.fd().get()));
  EXPECT_TRUE(memory.Contains(Bytes(first, 0, kSize)));
  EXPECT_TRUE(memory.Contains(Bytes(first, kSize, 0)));
  EXPECT_FALSE(memory.Contains(Bytes(first, 1, kSize)));

  const auto later = FileIn(realm.fd(), "later");
  EXPECT_TRUE(memory.Contains(Bytes(later, 100, 100))) << "it looks again";

  const auto elsewhere = FileIn(other.fd(), "first");
  EXPECT_FALSE(memory.Contains(Bytes(elsewhere, 0, 1)));
  const std::vector<std::byte> own(64);
  EXPECT_FALSE(memory.Contains(own));
  EXPECT_FALSE(memory.Contains({}));
}

TEST(RealmMemory, ForgetsWhatWasUnmapped) {
  const auto realm = Must(Realm::Create(1U << 20U));
  auto memory = Must(RealmMemory::Of(realm.fd().get()));
  auto mapping = FileIn(realm.fd(), "file");
  const auto bytes = Bytes(mapping, 0, kSize);
  EXPECT_TRUE(memory.Contains(bytes));
  mapping = base::Mapping();
  memory.Forget();
  EXPECT_FALSE(memory.Contains(bytes));
}

}  // namespace
}  // namespace penstock::transport
