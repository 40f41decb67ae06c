// The engine's exit codes in words.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::container {

/// "exited with code 1", "was killed with signal 9 (SIGKILL)".
auto DescribeExit(std::int64_t code) -> std::string;

}  // namespace penstock::container
