// `penstock quarantine`: the messages that nodes failed at. Each returns the process's exit code.
#pragma once

#include <string>

namespace penstock::cli {

auto ListQuarantine(bool as_json) -> int;
/// `id`: the beginning of one.
auto ShowQuarantined(const std::string& id, bool as_json) -> int;
/// Runs the node that failed on the message, and prints what it sends; the node, its code and its environment are what
/// the manifest says now.
auto ReplayQuarantined(const std::string& id) -> int;
auto RemoveQuarantined(const std::string& id) -> int;

}  // namespace penstock::cli
