// Engine: answers that keep coming.
#include <memory>

#include "docker/decode.h"
#include "docker/encode.h"
#include "docker/engine.h"
#include "docker/frames.h"
#include "docker/http.h"
#include "docker/lines.h"
#include "docker/paths.h"

namespace penstock::docker {
using base::Expected;
using base::Status;

auto Engine::Attach(const std::string& container, OutputSink sink, StreamEnd end, Call call) const -> Expected<Stream> {
  const auto attempt = fmt::format("attach to container '{}'", container);
  PENSTOCK_ASSIGN(const auto name, PathSegment("container", container));
  const auto frames = std::make_shared<FrameDecoder>(attempt);
  HttpRequest request{.attempt = attempt,
                      .method = "POST",
                      .target = Path(fmt::format("/containers/{}/attach", name)) +
                                Query({{"stream", "1"}, {"stdout", "1"}, {"stderr", "1"}})};
  // One piece may hold many frames, and the sink may stop the stream at any of them.
  const OutputSink guarded = [stopped = request.stopped, sink = std::move(sink)](OutputStream from,
                                                                                 std::string_view piece) {
    if (!*stopped) sink(from, piece);
  };
  request.on_data = [frames, guarded](std::string_view piece) { return frames->Feed(piece, guarded); };
  request.on_end = [frames] { return frames->Finish(); };
  return http_->Open(std::move(request), std::move(end), std::move(call));
}

auto Engine::Events(const EventFilter& filter, EventSink sink, StreamEnd end, Call call) const -> Expected<Stream> {
  const std::string attempt = "follow the Docker engine's events";
  PENSTOCK_ASSIGN(auto filters, EncodeFilters({{"type", filter.types},
                                               {"event", filter.events},
                                               {"label", filter.labels},
                                               {"container", filter.containers}}));
  // The engine answers before it subscribes: without `since`, what happens in between would be missed.
  const auto now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto since = fmt::format("{}.{:09}", now / 1'000'000'000, now % 1'000'000'000);
  const auto lines = std::make_shared<LineDecoder>(attempt, max_answer_bytes_);
  HttpRequest request{.attempt = attempt,
                      .target = Path("/events") + Query({{"since", since}, {"filters", std::move(filters)}})};
  const LineDecoder::Sink decode = [attempt, stopped = request.stopped,
                                    sink = std::move(sink)](std::string_view line) -> Status {
    if (*stopped) return {};
    PENSTOCK_ASSIGN(const auto event, DecodeEvent(attempt, line));
    sink(event);
    return {};
  };
  request.on_data = [lines, decode](std::string_view piece) { return lines->Feed(piece, decode); };
  request.on_end = [lines, decode] { return lines->Flush(decode); };
  return http_->Open(std::move(request), std::move(end), std::move(call));
}

}  // namespace penstock::docker
