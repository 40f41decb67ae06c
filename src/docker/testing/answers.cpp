#include "docker/testing/answers.h"

#include <fmt/format.h>

namespace penstock::docker {

auto WithLength(const GoodAnswer& answer) -> std::string {
  const bool has_body = answer.status != 204 && answer.status != 304;
  return fmt::format("HTTP/1.1 {} X\r\n{}{}\r\n{}", answer.status,
                     has_body ? fmt::format("Content-Length: {}\r\n", answer.body.size()) : "", answer.headers,
                     answer.body);
}

auto InChunks(const GoodAnswer& answer, std::size_t piece) -> std::string {
  if (answer.body.empty()) return WithLength(answer);
  auto text = fmt::format("HTTP/1.1 {} X\r\nTransfer-Encoding: chunked\r\n{}\r\n", answer.status, answer.headers);
  for (std::size_t at = 0; at < answer.body.size(); at += piece) {
    const auto part = std::string_view(answer.body).substr(at, piece);
    text += fmt::format("{:x}\r\n{}\r\n", part.size(), part);
  }
  return text + "0\r\n\r\n";
}

auto Frame(int stream, std::string_view payload) -> std::string {
  const auto byte = [&](unsigned shift) { return static_cast<char>(payload.size() >> shift & 0xffU); };
  std::string frame{static_cast<char>(stream), 0, 0, 0, byte(24), byte(16), byte(8), byte(0)};
  return frame.append(payload);
}

}  // namespace penstock::docker
