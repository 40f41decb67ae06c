#include "observe/traceback_group.h"

#include <gtest/gtest.h>

namespace penstock::observe {
namespace {

class Traceback : public testing::Test {
 protected:
  void Add(const std::string& text) { group_.Add({.stream = Stream::kStderr, .text = text}); }

  std::unique_ptr<base::EventLoop> loop_ = std::move(*base::EventLoop::Create());
  std::vector<std::vector<std::string>> groups_;
  bool stop_after_one_ = false;
  TracebackGroup group_{*loop_, [this](std::vector<LogRecord> lines) {
                          std::vector<std::string> texts;
                          for (auto& line : lines) texts.push_back(std::move(line.text));
                          groups_.push_back(std::move(texts));
                          if (stop_after_one_) loop_->Stop();
                        }};
};

TEST_F(Traceback, LetsOtherLinesPassAtOnce) {
  Add("loading");
  Add("  indented");
  EXPECT_EQ(groups_, (std::vector<std::vector<std::string>>{{"loading"}, {"  indented"}}));
}

TEST_F(Traceback, StaysWholeWithWhatCausedIt) {
  const std::vector<std::string> lines{"Traceback (most recent call last):",
                                       "  File \"a.py\", line 1, in f",
                                       "KeyError: 'a'",
                                       "",
                                       "During handling of the above exception, another exception occurred:",
                                       "",
                                       "Traceback (most recent call last):",
                                       "  File \"a.py\", line 3, in f",
                                       "ValueError: no"};
  for (const auto& line : lines) Add(line);
  EXPECT_TRUE(groups_.empty());
  stop_after_one_ = true;
  loop_->Run();  // until the stream has been silent
  EXPECT_EQ(groups_, std::vector<std::vector<std::string>>{lines});
}

TEST_F(Traceback, OfACrashIsPassedOnWhenTheStreamEnds) {
  const std::vector<std::string> lines{"Fatal Python error: Segmentation fault", "",
                                       "Current thread 0x1 (most recent call first):", "  File \"a.py\", line 1 in f"};
  for (const auto& line : lines) Add(line);
  group_.Flush();
  EXPECT_EQ(groups_, std::vector<std::vector<std::string>>{lines});
}

TEST_F(Traceback, IsBounded) {
  Add("Traceback (most recent call last):");
  for (int i = 0; i < 300; ++i) Add("  " + std::string(1024, 'x'));
  EXPECT_FALSE(groups_.empty());
}

}  // namespace
}  // namespace penstock::observe
