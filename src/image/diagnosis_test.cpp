#include "image/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::image {
namespace {
using testing::HasSubstr;

auto DiagnosisOf(std::deque<std::string> lines) -> std::string { return Diagnose(lines, "3.9").value_or("none"); }

TEST(Diagnose, NamesEverySystemPackageThatDoesNotExist) {
  EXPECT_THAT(DiagnosisOf({"Reading package lists...", "E: Unable to locate package nosuch1",
                           "E: Unable to locate package nosuch2"}),
              HasSubstr("no package 'nosuch1', 'nosuch2'"));
  EXPECT_THAT(DiagnosisOf({"E: Package 'python2' has no installation candidate"}), HasSubstr("'python2'"));
  EXPECT_THAT(DiagnosisOf({"E: Version '9.9' for 'hello' was not found"}), HasSubstr("'hello'"));
}

TEST(Diagnose, TellsAnUnknownPythonPackageFromAnUnknownVersion) {
  EXPECT_THAT(
      DiagnosisOf({"ERROR: Could not find a version that satisfies the requirement nosuch (from versions: none)",
                   "ERROR: No matching distribution found for nosuch"}),
      HasSubstr("no Python package 'nosuch' for Python 3.9"));
  EXPECT_THAT(
      DiagnosisOf(
          {"ERROR: Could not find a version that satisfies the requirement six==99 (from versions: 1.0, 1.16.0)",
           "ERROR: No matching distribution found for six==99"}),
      AllOf(HasSubstr("six==99"), HasSubstr("there are: 1.0, 1.16.0")));
  EXPECT_THAT(DiagnosisOf({"ERROR: Ignored the following versions that require a different python version: 1.32.0 "
                           "Requires-Python >=3.11",
                           "ERROR: Could not find a version that satisfies the requirement onnxruntime==1.32.0 (from "
                           "versions: 1.0, 1.19.2)",
                           "ERROR: No matching distribution found for onnxruntime==1.32.0"}),
              HasSubstr("'onnxruntime==1.32.0' is not offered for Python 3.9"));
}

TEST(Diagnose, DoesNotDenyAPackageWhoseIndexCouldNotBeReached) {
  const auto after = [](const std::string& trouble) {
    return DiagnosisOf(
        {"WARNING: Retrying (Retry(total=4)) after connection broken by '" + trouble + "'",
         "ERROR: Could not find a version that satisfies the requirement wheel==0.43.0 (from versions: none)",
         "ERROR: No matching distribution found for wheel==0.43.0"});
  };
  EXPECT_THAT(after("NewConnectionError('[Errno 111] Connection refused')"), HasSubstr("could not be reached"));
  EXPECT_THAT(after("[Errno -3] Temporary failure in name resolution"), HasSubstr("check DNS"));
  EXPECT_THAT(after("SSLError(CERTIFICATE_VERIFY_FAILED)"), HasSubstr("certificate is not trusted"));
}

TEST(Diagnose, SaysThatACompilerOrHeaderIsMissing) {
  for (const auto* line :
       {"error: command 'gcc' failed: No such file or directory",
        "unable to execute 'x86_64-linux-gnu-gcc': No such file or directory", "/bin/sh: 1: gcc: not found",
        "error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'",
        "error: command 'x86_64-linux-gnu-g++' failed: No such file or directory"}) {
    EXPECT_THAT(DiagnosisOf({line}), HasSubstr("build-essential")) << line;
  }
  EXPECT_THAT(DiagnosisOf({"src/x.c:3:10: fatal error: Python.h: No such file or directory"}),
              HasSubstr("python3-dev"));
  EXPECT_THAT(DiagnosisOf({"src/x.c:3:10: fatal error: portaudio.h: No such file or directory"}),
              HasSubstr("'portaudio.h'"));
}

TEST(Diagnose, KnowsTheHostsOwnTroubles) {
  EXPECT_THAT(DiagnosisOf({"SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] ...'))"}),
              HasSubstr("SSL_CERT_FILE"));
  EXPECT_THAT(DiagnosisOf({"OSError: [Errno 28] No space left on device"}), HasSubstr("disk is full"));
}

TEST(Diagnose, SaysNothingWhenItHasNoIdea) { EXPECT_EQ(DiagnosisOf({"something", "else"}), "none"); }

TEST(RedactUrls, KeepsOnlyTheLastPart) {
  EXPECT_EQ(RedactUrls("Get:1 http://user:pw@host/debian bookworm InRelease"), "Get:1 […]/debian bookworm InRelease");
  EXPECT_EQ(RedactUrls("Looking in indexes: https://u:p@host/simple, https://b"),
            "Looking in indexes: […]/simple, […]");
  EXPECT_EQ(RedactUrls("git+ssh://git@host/x.git'"), "[…]/x.git'");
  EXPECT_EQ(RedactUrls("nothing here: a/b"), "nothing here: a/b");
}

TEST(Tail, ShowsTheLastTwentyLines) {
  Tail tail;
  for (int i = 0; i < 1000; ++i) tail.Add(std::to_string(i));
  const auto shown = tail.Show();
  EXPECT_THAT(shown, testing::StartsWith("    980\n"));
  EXPECT_THAT(shown, testing::EndsWith("    999\n"));
}

}  // namespace
}  // namespace penstock::image
