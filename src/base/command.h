// Runs a program of the host to its end and hands on what it says, line by line.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

namespace penstock::base {

/// Called on the thread of RunCommand, without the line's end. Long lines come cut (line_cutter.h).
using LineSink = std::function<void(std::string_view line)>;

/// Runs `arguments` (the program is looked up in PATH) with this process's environment, standard input empty, and both
/// outputs going to `on_line`. Result: exit status, 128 + signal when it was killed.
///
/// When this process is killed, so is the program, but not what that has started.
/// At the deadline or when stopped the program's process group gets SIGTERM and, after two seconds, SIGKILL.
/// Errors: kNotFound (no such program), kDeadline, kCancelled.
auto RunCommand(const std::vector<std::string>& arguments, const LineSink& on_line, Deadline deadline,
                const std::stop_token& stop = {}) -> Expected<int>;

}  // namespace penstock::base
