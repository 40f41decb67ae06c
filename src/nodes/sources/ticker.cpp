#include "nodes/sources/ticker.h"

#include <algorithm>

#include "nodes/forward.h"
#include "nodes/params.h"

namespace penstock::nodes::sources {

auto Ticker::Setup(const nlohmann::json& params) -> base::Status {
  ParamReader reader("time.ticker", params);
  every_ = reader.Required<std::chrono::nanoseconds>("every", "a duration above 0, such as \"250ms\"",
                                                     [](const auto& every) { return every.count() > 0; });
  count_ =
      reader.Optional<std::int64_t>("count", "a whole number from 1", 0, [](const auto& count) { return count > 0; });
  const auto text = reader.Optional<std::string>("text", "a text", {});
  if (reader.Has("text")) text_ = text;
  return reader.Finish();
}

auto Ticker::Run(Context& context) -> base::Status {
  using Clock = base::Deadline::Clock;
  const auto start = Clock::now();
  std::int64_t tick = 0;
  for (std::int64_t sent = 0; count_ == 0 || sent < count_; ++sent) {
    if (!context.SleepUntil(start + tick * every_)) break;
    PENSTOCK_TRY(Send(context, tick));
    tick = std::max(tick + 1, (Clock::now() - start) / every_);
  }
  return {};
}

auto Ticker::Send(Context& context, std::int64_t tick) const -> base::Status {
  const auto media_time_ns = (tick * every_).count();
  if (text_) return SendText(context, "out", message::Kind::kText, *text_, media_time_ns);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto value = fmt::format(R"({{"tick": {}, "unix_ns": {}}})", tick,
                                 std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  return SendText(context, "out", message::Kind::kJson, value, media_time_ns);
}

}  // namespace penstock::nodes::sources
