// The one program of the tests' image: static, so that the image needs nothing else.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {
void WaitForTerm() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  std::puts("ready");
  std::fflush(stdout);
  int got = 0;
  sigwait(&set, &got);
}
}  // namespace

auto main(int count, char** arguments) -> int {
  const std::string_view verb = count > 1 ? arguments[1] : "";
  const char* const argument = count > 2 ? arguments[2] : "";
  if (verb == "exit") return std::atoi(argument);
  if (verb == "env") return std::puts(std::getenv(argument) == nullptr ? "" : std::getenv(argument)) < 0 ? 1 : 0;
  if (verb == "lines") {  // to stdout, every tenth to stderr
    for (int i = 0; i < std::atoi(argument); ++i) std::fprintf(i % 10 == 9 ? stderr : stdout, "line %d\n", i);
    return 0;
  }
  if (verb == "wait") {
    WaitForTerm();
    return 7;
  }
  if (verb == "stubborn") {
    for (;;) WaitForTerm();
  }
  return 64;
}
