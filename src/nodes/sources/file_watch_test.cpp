#include "nodes/sources/file_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "nodes/testing/recording_context.h"

namespace penstock::nodes::sources {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::RecordingContext;

class FileWatchTest : public ::testing::Test {
 protected:
  FileWatchTest() {
    const auto* const name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::temp_directory_path() / fmt::format("penstock-file-watch-{}-{}", ::getpid(), name);
    fs::create_directories(folder_);
  }
  ~FileWatchTest() override { fs::remove_all(folder_); }

  void Write(const std::string& name) const { std::ofstream(folder_ / name) << "x"; }
  auto Params(json more = json::object()) const -> json {
    more["path"] = folder_.string();
    return more;
  }
  // "written a.wav", of what is known until there is nothing more.
  auto Told() -> std::vector<std::string> {
    RecordingContext context;
    const auto status = node_.Run(context);
    if (!status) return {status.error().message()};
    std::vector<std::string> told;
    for (const auto& payload : context.payloads()) {
      const auto value = json::parse(payload);
      const fs::path path(value["path"].get<std::string>());
      EXPECT_EQ(path.parent_path(), folder_);
      told.push_back(value["event"].get<std::string>() + " " + path.filename().string());
    }
    return told;
  }
  auto ProblemOf(const json& params) -> std::string {
    const auto status = node_.Setup(params);
    return status ? "no problem" : status.error().message();
  }

  fs::path folder_;
  FileWatch node_;
};

TEST_F(FileWatchTest, TellsOfFilesThatAreCompleteAndOfNoOthers) {
  Write("before");
  ASSERT_TRUE(node_.Setup(Params()));
  Write("one");
  std::ofstream open_file(folder_ / "half");
  open_file << "x" << std::flush;
  fs::create_directory(folder_ / "folder");
  fs::create_hard_link(folder_ / "before", folder_ / "link");
  Write(".hidden");
  fs::rename(folder_ / ".hidden", folder_ / "shown");
  EXPECT_THAT(Told(), ElementsAre("written one", "moved shown"));
  open_file.close();
  EXPECT_THAT(Told(), ElementsAre("written half"));
}

TEST_F(FileWatchTest, ExistingFilesComeFirstByName) {
  for (const auto* name : {"b", "c", "a"}) Write(name);
  fs::create_directory(folder_ / "folder");
  ASSERT_TRUE(node_.Setup(Params({{"existing", true}})));
  Write("0");
  fs::remove(folder_ / "0");  // told of all the same: it was there
  EXPECT_THAT(Told(), ElementsAre("existing a", "existing b", "existing c", "written 0"));
}

TEST_F(FileWatchTest, APatternChooses) {
  Write("old.wav");
  Write("old.txt");
  ASSERT_TRUE(node_.Setup(Params({{"existing", true}, {"pattern", "*.wav"}})));
  Write("new.wav");
  Write("new.wav.part");
  EXPECT_THAT(Told(), ElementsAre("existing old.wav", "written new.wav"));
}

TEST_F(FileWatchTest, AFolderThatGoesEndsItWithASentence) {
  ASSERT_TRUE(node_.Setup(Params()));
  fs::remove_all(folder_);
  EXPECT_THAT(Told(), ElementsAre("the folder '" + folder_.string() + "' was removed or moved while it was watched"));
}

TEST_F(FileWatchTest, NamesThatAreNoUtf8AreStillJson) {
  ASSERT_TRUE(node_.Setup(Params()));
  Write("\xff");
  EXPECT_EQ(Told().size(), 1U);
}

TEST_F(FileWatchTest, EachWrongParameterIsNamed) {
  EXPECT_THAT(ProblemOf(json::object()), HasSubstr("'path' is required (the path of a folder)"));
  EXPECT_THAT(ProblemOf({{"path", ""}}), HasSubstr("'path' must be the path of a folder, not \"\""));
  EXPECT_THAT(ProblemOf(Params({{"pattern", "a/*"}})),
              HasSubstr("'pattern' must be a pattern of names, such as \"*.wav\", not \"a/*\""));
  EXPECT_THAT(ProblemOf(Params({{"existing", "yes"}})), HasSubstr("'existing' must be true or false, not \"yes\""));
  EXPECT_THAT(ProblemOf(Params({{"recursive", true}})),
              HasSubstr("unknown parameter 'recursive' (known: path, pattern, existing)"));
  Write("file");
  EXPECT_THAT(ProblemOf({{"path", (folder_ / "file").string()}}),
              HasSubstr("watch the folder '" + folder_.string() + "/file': Not a directory"));
  EXPECT_THAT(ProblemOf({{"path", (folder_ / "no").string()}}), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace penstock::nodes::sources
