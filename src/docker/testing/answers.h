// Answers of an engine, as bytes.
#pragma once

#include <string>
#include <string_view>

namespace penstock::docker {

struct GoodAnswer {
  std::string to{};  // part of the requests that get it: "/wait"; empty: of all
  int status = 200;
  std::string body{};
  std::string headers{};  // "Name: value\r\n"
};

/// "HTTP/1.1 …" with the length of the body, or in chunks of at most `piece` bytes.
auto WithLength(const GoodAnswer& answer) -> std::string;
auto InChunks(const GoodAnswer& answer, std::size_t piece) -> std::string;

/// One frame of a container's output. `stream`: 1 is stdout, 2 stderr.
auto Frame(int stream, std::string_view payload) -> std::string;

}  // namespace penstock::docker
