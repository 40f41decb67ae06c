#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/engine.h"
#include "cli/json_output.h"
#include "cli/verbs.h"
#include "message/header.h"
#include "worker/protocol.h"

namespace penstock::cli {

auto Version(bool json) -> int {
  const auto engine = ConnectEngine();
  if (json) {
    const nlohmann::json version{
        {"penstock", PENSTOCK_VERSION},
        {"worker_protocol", worker::kProtocolVersion},
        {"message_header", message::kHeaderVersion},
        {"engine", engine ? nlohmann::json((*engine)->version().engine) : nlohmann::json(nullptr)}};
    PrintJson(version);
    return kDone;
  }
  fmt::print("penstock {} (worker protocol {}, message header {})\n", PENSTOCK_VERSION, worker::kProtocolVersion,
             message::kHeaderVersion);
  fmt::print("engine   {}\n", engine ? (*engine)->version().engine : "none: " + engine.error().message());
  return kDone;
}

}  // namespace penstock::cli
