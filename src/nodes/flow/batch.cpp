#include "nodes/flow/batch.h"

#include "nodes/forward.h"
#include "nodes/params.h"

namespace penstock::nodes::flow {

using base::ErrorCode;
using base::Fail;
using message::Kind;
using nlohmann::json;

auto Batch::Setup(const json& params) -> base::Status {
  ParamReader reader("flow.batch", params);
  size_ = reader.Optional<std::uint64_t>("size", "a whole number from 1", 0, [](const auto& size) { return size > 0; });
  within_ = reader.Optional<std::chrono::nanoseconds>("within", "a duration above 0, such as \"200ms\"", {},
                                                      [](const auto& within) { return within.count() > 0; });
  if (!reader.Has("size") && !reader.Has("within"))
    reader.AddProblem("give 'size' (a whole number from 1), 'within' (a duration such as \"200ms\"), or both");
  return reader.Finish();
}

auto Batch::Process(Context& context, std::string_view input, std::unique_ptr<Received> message) -> base::Status {
  const auto& header = message->header();
  const auto payload = message->payload();
  const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
  std::string item;
  if (header.kind == Kind::kText) {
    item = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  } else if (header.kind != Kind::kJson) {
    return Fail(ErrorCode::kInvalidArgument, "flow.batch takes Text or Json at input '{}', but received {}", input,
                message::ToString(header.kind));
  } else if (json::accept(text)) {
    item = text;
  } else {
    return Fail(ErrorCode::kInvalidArgument, "the Json message {} at input '{}' holds no JSON", header.sequence, input);
  }
  if (count_ == 0) {
    media_time_ns_.reset();
    if ((header.flags & message::kFlagHasMediaTime) != 0) media_time_ns_ = header.media_time_ns;
    Begin();
  } else {
    items_ += ',';
  }
  items_ += item;
  ++count_;
  return count_ == size_ ? Send(context) : base::Status();
}

void Batch::Begin() {
  if (within_.count() > 0) due_ = base::Deadline::Clock::now() + within_;
}

auto Batch::Send(Context& context) -> base::Status {
  if (count_ == 0) return {};
  PENSTOCK_TRY(SendText(context, "out", Kind::kJson, "[" + items_ + "]", media_time_ns_));
  items_.clear();
  count_ = 0;
  due_.reset();
  return {};
}

auto Batch::Checkpoint() -> std::string {
  return fmt::format("{} {} {}", count_, media_time_ns_ ? fmt::to_string(*media_time_ns_) : "-", items_);
}

auto Batch::Restore(std::string_view state) -> base::Status {
  const auto count_end = state.find(' ');
  const auto time_end = count_end == std::string_view::npos ? count_end : state.find(' ', count_end + 1);
  if (time_end == std::string_view::npos)
    return Fail(ErrorCode::kPeerCorrupt, "what flow.batch had collected is damaged: it has no two numbers in front");
  const auto count = json::parse(state.substr(0, count_end), nullptr, false);
  const auto time = state.substr(count_end + 1, time_end - count_end - 1);
  const auto media_time = time == "-" ? json() : json::parse(time, nullptr, false);
  if (!count.is_number_unsigned() || !(media_time.is_null() || media_time.is_number_integer()))
    return Fail(ErrorCode::kPeerCorrupt, "what flow.batch had collected is damaged: '{}' and '{}' are no numbers",
                state.substr(0, count_end), time);
  count_ = count.get<std::uint64_t>();
  if (!media_time.is_null()) media_time_ns_ = media_time.get<std::int64_t>();
  items_ = state.substr(time_end + 1);
  if (count_ > 0) Begin();
  return {};
}

}  // namespace penstock::nodes::flow
