// How entries of the image index look, to people and to programs.
#pragma once

#include <nlohmann/json.hpp>

#include "image/index.h"

namespace penstock::cli {

/// "1f2e3d4c5b6a"
auto ShortId(const image::Entry& entry) -> std::string;
/// "162 MB"
auto SizeText(std::int64_t bytes) -> std::string;
/// What was asked for, in one line: "ffmpeg numpy==2.4.6".
auto PackagesText(const image::Contents& contents) -> std::string;
auto ToJson(const image::Entry& entry, bool in_use) -> nlohmann::json;

}  // namespace penstock::cli
