// FFmpeg's objects as owning types, so that no path forgets to free one. Internal to this folder.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/error.h>
#include <libswresample/swresample.h>
}

#include <array>
#include <memory>
#include <string>

namespace penstock::nodes::media {

template <auto kFree>
struct FreeByAddress {
  template <class T>
  void operator()(T* object) const noexcept {
    kFree(&object);
  }
};

using CodecContext = std::unique_ptr<AVCodecContext, FreeByAddress<avcodec_free_context>>;
using Packet = std::unique_ptr<AVPacket, FreeByAddress<av_packet_free>>;
using Frame = std::unique_ptr<AVFrame, FreeByAddress<av_frame_free>>;
using Resampler = std::unique_ptr<SwrContext, FreeByAddress<swr_free>>;
using FormatContext = std::unique_ptr<AVFormatContext, FreeByAddress<avformat_close_input>>;

struct FreeOutput {
  void operator()(AVFormatContext* context) const noexcept { avformat_free_context(context); }
};
using OutputContext = std::unique_ptr<AVFormatContext, FreeOutput>;

struct FreeIo {
  void operator()(AVIOContext* io) const noexcept {
    av_freep(&io->buffer);  // libavformat may have replaced the buffer that it was given
    avio_context_free(&io);
  }
};
using IoContext = std::unique_ptr<AVIOContext, FreeIo>;

/// FFmpeg's own words for one of its negative error codes.
inline auto Describe(int code) -> std::string {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

}  // namespace penstock::nodes::media
