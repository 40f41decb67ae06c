#include "image/testing/background.h"

#include <chrono>
#include <future>
#include <memory>
#include <regex>

#include "base/command.h"

namespace penstock::image {

Background::Background(const std::vector<std::string>& arguments, const std::string& pattern) {
  auto promise = std::make_shared<std::promise<std::string>>();
  auto found = promise->get_future();
  thread_ = std::jthread([arguments, pattern, promise](const std::stop_token& stop) {
    const std::regex expression(pattern);
    bool known = false;
    const auto status = base::RunCommand(
        arguments,
        [&](std::string_view line) {
          std::cmatch match;
          if (known || !std::regex_search(line.begin(), line.end(), match, expression)) return;
          known = true;
          promise->set_value(match[1].str());
        },
        base::Deadline::Never(), stop);
    if (!known) promise->set_value({});
  });
  found_ = found.get();
}

Background::~Background() = default;

auto RunToEnd(const std::vector<std::string>& arguments) -> Finished {
  Finished finished;
  const auto status = base::RunCommand(
      arguments, [&](std::string_view line) { finished.output.append(line).append("\n"); },
      base::Deadline::In(std::chrono::minutes(4)));
  if (status) {
    finished.status = *status;
  } else {
    finished.output += status.error().ToString();
  }
  return finished;
}

}  // namespace penstock::image
