#include "nodes/media/media_sink.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "nodes/media/flac_file.h"
#include "nodes/media/wav_file.h"
#include "nodes/params.h"

namespace penstock::nodes::media {

using base::ErrorCode;
using base::Fail;
using base::Status;
using nlohmann::json;

namespace {

auto Extension(const std::string& path) -> std::string {
  auto extension = std::filesystem::path(path).extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return extension;
}

auto FormatOf(std::string_view name) -> SampleFormat {
  if (name == "f32") return SampleFormat::kF32;
  return name == "s24" ? SampleFormat::kS24 : SampleFormat::kS16;
}

}  // namespace

auto MediaSink::Read(const json& params) -> Status {
  ParamReader reader("media.sink", params);
  options_.name = reader.Required<std::string>("path", "a path that ends with .wav or .flac", [](const auto& path) {
    return Extension(path) == ".wav" || Extension(path) == ".flac";
  });
  const auto samples = reader.Optional<std::string>("samples", "s16, s24 or f32", "s16", [](const auto& name) {
    return name == "s16" || name == "s24" || name == "f32";
  });
  is_flac_ = Extension(options_.name) == ".flac";
  if (is_flac_ && samples == "f32") reader.AddProblem("FLAC has no samples f32: write s24, or a WAV file");
  options_.samples = FormatOf(samples);
  return reader.Finish();
}

auto MediaSink::Open(int flags) -> Status {
  opened_ = base::UniqueFd(::open(options_.name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0666));
  if (!opened_) return base::SystemError(fmt::format("open '{}' for writing", options_.name));
  struct stat status{};
  if (::fstat(opened_.get(), &status) != 0) return base::SystemError(fmt::format("look at '{}'", options_.name));
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument,
                "media.sink cannot write to '{}': it is no ordinary file, and a header is "
                "written when the samples are known",
                options_.name);
  }
  return {};
}

auto MediaSink::Setup(const json& params) -> Status {
  PENSTOCK_TRY(Read(params));
  return Open(O_TRUNC);
}

auto MediaSink::Resume(const json& params) -> Status {
  PENSTOCK_TRY(Read(params));
  if (is_flac_) {
    return Fail(ErrorCode::kUnsupported,
                "media.sink cannot go on in the FLAC file '{}' that another worker began: write WAV where the node may "
                "be restarted, or remove 'on_failure' and 'retry'",
                options_.name);
  }
  return Open(0);
}

auto MediaSink::Begin(int rate, int channels, std::uint64_t data_bytes) -> Status {
  options_.rate = rate;
  options_.channels = channels;
  if (is_flac_) {
    PENSTOCK_ASSIGN(file_, FlacFile::Begin(std::move(opened_), options_));
  } else {
    PENSTOCK_ASSIGN(file_, WavFile::Continue(std::move(opened_), options_, data_bytes));
  }
  return {};
}

auto MediaSink::Checkpoint() -> std::string {
  if (!file_) return {};
  const auto& wav = static_cast<const WavFile&>(*file_);  // FLAC keeps no state
  return json{{"rate", options_.rate}, {"channels", options_.channels}, {"bytes", wav.data_bytes()}}.dump();
}

auto MediaSink::Restore(std::string_view state) -> Status {
  if (state.empty()) return {};
  const auto kept = json::parse(state, nullptr, false);
  const auto has = [&](const char* key) {
    return kept.is_object() && kept.contains(key) && kept[key].is_number_unsigned();
  };
  if (!has("rate") || !has("channels") || !has("bytes"))
    return Fail(ErrorCode::kPeerCorrupt, "how far '{}' was written is not known: '{}'", options_.name, state);
  return Begin(kept["rate"].get<int>(), kept["channels"].get<int>(), kept["bytes"].get<std::uint64_t>());
}

auto MediaSink::Process(Context& /*context*/, std::string_view input, std::unique_ptr<Received> message) -> Status {
  const auto& header = message->header();
  if (header.kind != message::Kind::kAudio) {
    return Fail(ErrorCode::kInvalidArgument, "media.sink takes Audio at input '{}', but received {}", input,
                message::ToString(header.kind));
  }
  if (header.dtype.code != 2 || header.dtype.bits != 32)
    return Fail(ErrorCode::kInvalidArgument, "the samples of an Audio message at input '{}' are no float32", input);
  const auto rate = static_cast<int>(header.rate);
  const auto channels = static_cast<int>(header.shape[1]);
  if (file_ && (rate != options_.rate || channels != options_.channels)) {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' has {} Hz and {} channels, and the message {} at input '{}' {} Hz and {} channels: give each its "
                "own media.sink",
                options_.name, options_.rate, options_.channels, header.sequence, input, rate, channels);
  }
  if (!file_) PENSTOCK_TRY(Begin(rate, channels, 0));
  const auto payload = message->payload();
  // The payload is aligned to 64 bytes.
  const auto written = file_->Write({reinterpret_cast<const float*>(payload.data()), payload.size() / sizeof(float)});
  is_broken_ = !written;
  return written;
}

auto MediaSink::Finish(Context& /*context*/) -> Status { return file_ ? file_->Close() : Status(); }

auto MediaSink::Teardown() -> Status {
  file_.reset();
  return {};
}

}  // namespace penstock::nodes::media
