// `penstock quarantine`: the messages that nodes failed at. Each returns the process's exit code.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace penstock::cli {

auto ListQuarantine(bool as_json) -> int;
/// `id`: the beginning of one.
auto ShowQuarantined(const std::string& id, bool as_json) -> int;
/// Runs the node that failed on the message, and prints what it sends; the node, its code and its environment are what
/// the manifest says now.
auto ReplayQuarantined(const std::string& id) -> int;
/// Those whose ids begin so, or all; none when one of them is not there.
auto RemoveQuarantined(const std::vector<std::string>& ids, bool all) -> int;

/// Of a beginning that is none, or of several.
auto ComplainOfId(const base::Error& error) -> int;

}  // namespace penstock::cli
