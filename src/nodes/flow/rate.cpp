#include "nodes/flow/rate.h"

#include <cmath>
#include <string>

#include "base/count.h"
#include "base/log.h"
#include "nodes/forward.h"
#include "nodes/params.h"

namespace penstock::nodes::flow {

auto Rate::Setup(const nlohmann::json& params) -> base::Status {
  ParamReader reader("flow.rate", params);
  const auto per_second = reader.Required<double>("per_second", "a number above 0, to 1000000",
                                                  [](const auto& value) { return value > 0 && value <= 1e6; });
  const auto policy = reader.Optional<std::string>(
      "policy", "drop or wait", "drop", [](const auto& value) { return value == "drop" || value == "wait"; });
  PENSTOCK_TRY(reader.Finish());
  // The longest interval that can be counted in nanoseconds is some hundred years.
  limit_.emplace(std::chrono::nanoseconds(std::llround(std::min(1e9 / per_second, 1e18))));
  waits_ = policy == "wait";
  return {};
}

auto Rate::Process(Context& context, std::string_view /*input*/, std::unique_ptr<Received> message) -> base::Status {
  ++came_;
  const auto now = base::Deadline::Clock::now();
  const auto time = limit_->NextAt(now);
  if (time > now) {
    if (!waits_) {
      ++dropped_;
      return {};
    }
    static_cast<void>(context.SleepUntil(time));  // a session that is over says so when something is published
  }
  limit_->Pass(time);
  return Forward(context, "out", *message);
}

auto Rate::Finish(Context& /*context*/) -> base::Status {
  if (dropped_ > 0) base::Log(base::LogLevel::kInfo, "{} of {} left out", dropped_, base::Count(came_, "message"));
  return {};
}

}  // namespace penstock::nodes::flow
