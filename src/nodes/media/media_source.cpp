#include "nodes/media/media_source.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/count.h"
#include "nodes/media/source_params.h"

namespace penstock::nodes::media {

namespace {
constexpr const char* kOutput = "out";
constexpr message::DataType kFloat32{.code = 2, .bits = 32, .lanes = 1};
}  // namespace

auto MediaSource::Setup(const nlohmann::json& params) -> base::Status {
  PENSTOCK_ASSIGN(auto parsed, SourceParams::Parse(params, {}));
  const bool are_files = std::ranges::all_of(parsed.reader.files, [](const std::filesystem::path& file) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(file, ignored);
  });
  replay_ = are_files ? Replay::kSame : Replay::kNew;
  // During the setup a stop ends the worker.
  parsed.reader.await_pipe = [this](int fd) {
    if (context_ != nullptr) was_stopped_ = !context_->AwaitReadable(fd).value_or(true);
    return !was_stopped_;
  };
  PENSTOCK_ASSIGN(reader_, AudioReader::Open(std::move(parsed.reader)));
  realtime_ = parsed.realtime;
  return {};
}

auto MediaSource::Run(Context& context) -> base::Status {
  context_ = &context;
  auto played = Play(context);
  context_ = nullptr;
  return played;
}

auto MediaSource::Play(Context& context) -> base::Status {
  auto started = base::Deadline::Clock::now();
  while (!context.stop_requested()) {
    const auto next = reader_->Next();
    if (was_stopped_) break;  // whatever the decoder makes of it
    PENSTOCK_ASSIGN(const auto frame, next);
    if (!frame) break;
    if (context.was_published(kOutput)) started = base::Deadline::Clock::now() - frame->end_time;
    if (realtime_ && !context.SleepUntil(started + frame->end_time)) break;
    PENSTOCK_TRY(Send(context, *frame));
  }
  if (const auto damaged = reader_->damaged_packets(); damaged > 0) {
    fmt::print(stderr, "media.source: {} skipped; the audio after that comes earlier\n",
               base::Count(damaged, "damaged packet was", "damaged packets were"));
  }
  return {};
}

auto MediaSource::Send(Context& context, const AudioReader::Frame& frame) -> base::Status {
  PENSTOCK_ASSIGN(auto draft, context.Borrow(kOutput, frame.sample_count * sizeof(float)));
  auto& header = draft->header();
  header.kind = message::Kind::kAudio;
  header.flags |= message::kFlagHasMediaTime;
  header.media_time_ns = frame.time.count();
  header.dtype = kFloat32;
  header.rate = static_cast<std::uint32_t>(reader_->rate());
  header.dimensions = 2;
  header.shape[0] = static_cast<std::int64_t>(frame.frames);
  header.shape[1] = reader_->channels();
  // The payload is aligned to 64 bytes and floats have no other representation to disturb.
  reader_->Read(std::span(reinterpret_cast<float*>(draft->bytes().data()), frame.sample_count));
  return context.Publish(kOutput, std::move(draft));
}

auto MediaSource::Teardown() -> base::Status {
  reader_.reset();
  return {};
}

}  // namespace penstock::nodes::media
