#include "image/build_context.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/testing/temporary_directory.h"

namespace penstock::image {
namespace {
namespace fs = std::filesystem;
using base::ErrorCode;
using testing::HasSubstr;
using testing::Not;

constexpr std::uintmax_t kMebibyte = std::uintmax_t{1} << 20U;

class BuildContextTest : public testing::Test {
 protected:
  void SetUp() override { Write("Dockerfile", "FROM scratch\n"); }

  void Write(const std::string& path, const std::string& text = "x") const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  // Sparse: only its size counts.
  void WriteLarge(const std::string& path, std::uintmax_t megabytes) const {
    Write(path);
    fs::resize_file(root_ / path, megabytes * kMebibyte);
  }
  auto Collect(const std::string& dockerfile = "Dockerfile") const -> base::Expected<BuildContext> {
    return BuildContext::Collect({.written = "context", .dockerfile = dockerfile, .context = root_});
  }

  auto Digest(const std::string& dockerfile = "Dockerfile") const -> std::string {
    const auto context = Collect(dockerfile);
    EXPECT_TRUE(context) << context.error().ToString();
    return context ? context->Digest().value() : std::string();
  }
  // Whether it is in the context: with another text that is another one.
  auto Has(const std::string& path, const std::string& dockerfile = "Dockerfile") const -> bool {
    Write(path, "# one\n");
    const auto before = Digest(dockerfile);
    Write(path, "# two\n");
    return Digest(dockerfile) != before;
  }

  const base::testing::TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
};

TEST_F(BuildContextTest, ThatIsTooLargeIsRefusedWithItsLargestEntries) {
  WriteLarge("src/models/speech.bin", 300);
  WriteLarge("src/other.bin", 10);
  WriteLarge("recordings/a.wav", 120);
  WriteLarge("recordings/b.wav", 120);
  WriteLarge("top.bin", 20);
  WriteLarge("small.bin", 1);
  const auto context = Collect();
  ASSERT_FALSE(context);
  EXPECT_EQ(context.error().code(), ErrorCode::kInvalidArgument);
  const auto said = context.error().message();
  EXPECT_THAT(said, HasSubstr(fmt::format("the build context '{}' has 571 MB, more than 500; add to '{}'",
                                          root_.string(), (root_ / ".dockerignore").string())));
  EXPECT_THAT(said,
              HasSubstr("The largest in it: src/models/speech.bin (300 MB), recordings/ (240 MB), top.bin (20 MB)"));
  EXPECT_THAT(said, Not(HasSubstr("small.bin")));
}

TEST_F(BuildContextTest, IsEverythingThatIsNotIgnored) {
  Write(".dockerignore", "a\nfolder\n!folder/kept\n");
  EXPECT_FALSE(Has("a"));
  EXPECT_TRUE(Has("b"));
  EXPECT_FALSE(Has("folder/a"));
  EXPECT_TRUE(Has("folder/kept"));
}

TEST_F(BuildContextTest, AlwaysHasWhatTheEngineReads) {
  Write(".dockerignore", "*\n");
  EXPECT_TRUE(Has("Dockerfile"));
  EXPECT_FALSE(Has("Dockerfile.other"));
  const auto before = Digest();
  Write(".dockerignore", "*\n# more\n");
  EXPECT_NE(Digest(), before);
}

TEST_F(BuildContextTest, ADockerfilesOwnIgnoreFileTakesThePlaceOfTheCommonOne) {
  Write(".dockerignore", "a\n");
  Write("images/gpu", "FROM scratch\n");
  Write("images/gpu.dockerignore", "b\nimages\n.dockerignore\n");
  EXPECT_FALSE(Has("a"));
  EXPECT_TRUE(Has("b"));
  EXPECT_TRUE(Has("a", "images/gpu"));
  EXPECT_FALSE(Has("b", "images/gpu"));
  EXPECT_FALSE(Has("images/other", "images/gpu"));
  EXPECT_FALSE(Has(".dockerignore", "images/gpu"));
  EXPECT_TRUE(Has("images/gpu", "images/gpu"));
}

TEST_F(BuildContextTest, ABrokenIgnoreFileIsNamed) {
  Write("Dockerfile.dockerignore", "a\n[\n");
  const auto context = Collect();
  ASSERT_FALSE(context);
  EXPECT_THAT(context.error().message(),
              HasSubstr(fmt::format("'{}', line 2: '[' is no pattern", (root_ / "Dockerfile.dockerignore").string())));
}

TEST_F(BuildContextTest, CountsOnlyWhatIsNotIgnored) {
  WriteLarge("recordings/a.wav", 499);
  EXPECT_TRUE(Collect());
  WriteLarge("recordings/b.wav", 2);
  EXPECT_FALSE(Collect());
  Write(".dockerignore", "recordings/b.wav\n");
  EXPECT_TRUE(Collect());
}

}  // namespace
}  // namespace penstock::image
