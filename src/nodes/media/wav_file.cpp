#include "nodes/media/wav_file.h"

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <limits>
#include <utility>

namespace penstock::nodes::media {
namespace {

constexpr std::uint64_t kHeaderBytes = 44;
constexpr std::uint64_t kMostDataBytes = std::numeric_limits<std::uint32_t>::max() - kHeaderBytes;

auto BytesOf(SampleFormat format) -> std::uint32_t {
  switch (format) {
    case SampleFormat::kS16:
      return 2;
    case SampleFormat::kS24:
      return 3;
    case SampleFormat::kF32:
      break;
  }
  return 4;
}

void Append(std::string& bytes, std::uint32_t value, std::uint32_t width) {
  for (std::uint32_t i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
}

}  // namespace

auto WavFile::Begin(base::UniqueFd file, AudioFileOptions options) -> base::Expected<std::unique_ptr<WavFile>> {
  return Continue(std::move(file), std::move(options), 0);
}

auto WavFile::Continue(base::UniqueFd file, AudioFileOptions options, std::uint64_t data_bytes)
    -> base::Expected<std::unique_ptr<WavFile>> {
  std::unique_ptr<WavFile> wav(new WavFile(std::move(file), std::move(options), data_bytes));
  if (::ftruncate(wav->file_.get(), static_cast<off_t>(kHeaderBytes + data_bytes)) != 0) {
    const int error = errno;
    PENSTOCK_TRY(CannotWrite(wav->options_.name, error));
  }
  PENSTOCK_TRY(wav->WriteAt(0, wav->Header()));
  return wav;
}

auto WavFile::Header() const -> std::string {
  const auto width = BytesOf(options_.samples);
  const auto channels = static_cast<std::uint32_t>(options_.channels);
  const auto rate = static_cast<std::uint32_t>(options_.rate);
  const auto data = static_cast<std::uint32_t>(data_bytes_);
  constexpr std::uint32_t kPcm = 1;
  constexpr std::uint32_t kFloat = 3;
  std::string bytes = "RIFF";
  Append(bytes, static_cast<std::uint32_t>(kHeaderBytes) - 8 + data + data % 2, 4);
  bytes += "WAVEfmt ";
  Append(bytes, 16, 4);
  Append(bytes, options_.samples == SampleFormat::kF32 ? kFloat : kPcm, 2);
  Append(bytes, channels, 2);
  Append(bytes, rate, 4);
  Append(bytes, rate * channels * width, 4);
  Append(bytes, channels * width, 2);
  Append(bytes, 8 * width, 2);
  bytes += "data";
  Append(bytes, data, 4);
  return bytes;
}

auto WavFile::Write(std::span<const float> samples) -> base::Status {
  const auto width = BytesOf(options_.samples);
  if (data_bytes_ + samples.size() * width > kMostDataBytes) {
    return base::Fail(base::ErrorCode::kExhausted,
                      "'{}' is full: a WAV file holds 4 GiB. Write FLAC (path: *.flac), which holds more",
                      options_.name);
  }
  buffer_.clear();
  for (const float sample : samples) {
    const auto value = options_.samples == SampleFormat::kF32
                           ? std::bit_cast<std::uint32_t>(sample)
                           : static_cast<std::uint32_t>(ToInteger(sample, static_cast<int>(8 * width)));
    Append(buffer_, value, width);
  }
  // The header last: what it says is there.
  const auto bytes = buffer_.size();
  if ((data_bytes_ + bytes) % 2 != 0) buffer_ += '\0';  // chunks are even
  PENSTOCK_TRY(WriteAt(kHeaderBytes + data_bytes_, buffer_));
  data_bytes_ += bytes;
  return WriteAt(0, Header());
}

auto WavFile::WriteAt(std::uint64_t place, std::string_view bytes) -> base::Status {
  while (!bytes.empty()) {
    const auto written = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(place));
    if (written >= 0) {
      place += static_cast<std::uint64_t>(written);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return CannotWrite(options_.name, errno);
    }
  }
  return {};
}

}  // namespace penstock::nodes::media
