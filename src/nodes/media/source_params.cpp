#include "nodes/media/source_params.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <ranges>
#include <span>
#include <string_view>
#include <utility>

namespace penstock::nodes::media {

using base::ErrorCode;
using base::Expected;
using base::Fail;
using nlohmann::json;

namespace {

constexpr std::string_view kAudio = "audio.";

/// The keys of the object of that name and dot, of all when empty: each once, without what is inside of them.
auto KeysIn(std::string_view object) -> std::vector<std::string_view> {
  std::vector<std::string_view> keys;
  for (const std::string_view name : std::views::transform(kSourceParams, &PluginParam::name)) {
    if (!name.starts_with(object)) continue;
    const auto key = name.substr(object.size(), name.find('.', object.size()) - object.size());
    if (keys.empty() || keys.back() != key) keys.push_back(key);
  }
  return keys;
}

auto EditDistance(std::string_view a, std::string_view b) -> std::size_t {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// Words left out or added cost less than other letters: 'frame' means 'frame_ms', 'sample_rate' means 'rate'.
auto Nearest(std::string_view key, std::span<const std::string_view> known) -> std::string_view {
  return *std::ranges::min_element(known, {}, [&](std::string_view other) {
    const bool contained = other.find(key) != std::string_view::npos || key.find(other) != std::string_view::npos;
    const auto distance = static_cast<int>(EditDistance(key, other));
    return contained ? distance - static_cast<int>(std::min(key.size(), other.size())) : distance;
  });
}

/// Reads one JSON object and gathers what is wrong with it.
class ObjectReader final {
 public:
  ObjectReader(const json& object, std::string path, std::span<const std::string_view> known,
               std::vector<std::string>& problems)
      : object_(object), path_(std::move(path)), problems_(problems) {
    for (const auto& [key, value] : object.items()) {
      if (std::ranges::find(known, key) != known.end()) continue;
      problems_.push_back(fmt::format("{}: unknown key; did you mean '{}'? Known keys: {}", Path(key),
                                      Nearest(key, known), fmt::join(known, ", ")));
    }
  }

  auto Number(const char* key, double low, double high) -> std::optional<double> {
    const auto found = object_.find(key);
    if (found == object_.end()) return std::nullopt;
    if (found->is_number()) {
      const double value = found->get<double>();
      if (value >= low && value <= high) return value;
    }
    Problem(key, *found, fmt::format("a number from {} to {}", low, high));
    return std::nullopt;
  }

  auto Integer(const char* key, int low, int high) -> std::optional<int> {
    const auto found = object_.find(key);
    if (found == object_.end()) return std::nullopt;
    if (found->is_number_integer()) {
      const auto value = found->get<std::int64_t>();
      if (value >= low && value <= high) return static_cast<int>(value);
    }
    Problem(key, *found, fmt::format("a whole number from {} to {}", low, high));
    return std::nullopt;
  }

  auto Text(const char* key) -> std::optional<std::string> {
    const auto found = object_.find(key);
    if (found == object_.end()) return std::nullopt;
    if (found->is_string() && !found->get_ref<const std::string&>().empty()) return found->get<std::string>();
    Problem(key, *found, "a text that is not empty");
    return std::nullopt;
  }

  auto Bool(const char* key) -> std::optional<bool> {
    const auto found = object_.find(key);
    if (found == object_.end()) return std::nullopt;
    if (found->is_boolean()) return found->get<bool>();
    Problem(key, *found, "true or false");
    return std::nullopt;
  }

  void Problem(const std::string& key, const json& value, std::string_view wanted) {
    problems_.push_back(fmt::format("{}: must be {}, not {}", Path(key), wanted, value.dump()));
  }

 private:
  auto Path(const std::string& key) const -> std::string { return path_ + "." + key; }

  const json& object_;
  std::string path_;
  std::vector<std::string>& problems_;
};

auto FromMilliseconds(double milliseconds) -> std::chrono::nanoseconds {
  return std::chrono::nanoseconds(std::llround(milliseconds * 1e6));
}

/// A path from a path or a file: URL; anything else would need the network.
auto ToPath(const std::string& url, const std::filesystem::path& directory) -> Expected<std::filesystem::path> {
  std::string_view path = url;
  if (const auto scheme = url.find("://"); scheme != std::string::npos && url.substr(0, scheme) != "file") {
    return Fail(ErrorCode::kInvalidArgument,
                "media.source reads files and no '{}' addresses: download '{}' and give its path",
                url.substr(0, scheme), url);
  }
  for (const std::string_view prefix : {"file://", "file:"}) {
    if (path.starts_with(prefix)) {
      path.remove_prefix(prefix.size());
      break;
    }
  }
  return directory / path;
}

}  // namespace

auto SourceParams::Parse(const json& params, const std::filesystem::path& directory) -> Expected<SourceParams> {
  if (!params.is_object()) {
    return Fail(ErrorCode::kInvalidArgument,
                "media.source needs params with at least a url, as in `params: {{url: a.wav}}`");
  }
  SourceParams result;
  std::vector<std::string> problems;
  std::vector<std::string> urls;

  const auto keys = KeysIn({});
  ObjectReader top(params, "params", keys, problems);
  if (params.contains("url") == params.contains("urls")) {
    problems.emplace_back("params: give one of url (a file) and urls (a list of files)");
  } else if (const auto url = top.Text("url")) {
    urls.push_back(*url);
  } else if (const auto list = params.find("urls"); list != params.end()) {
    const bool texts = list->is_array() && !list->empty() &&
                       std::ranges::all_of(*list, [](const json& item) { return item.is_string() && item != ""; });
    if (texts) {
      urls = list->get<std::vector<std::string>>();
    } else {
      top.Problem("urls", *list, "a list of at least one file");
    }
  }
  for (const auto& url : urls) {
    auto path = ToPath(url, directory);
    if (path) {
      result.reader.files.push_back(*std::move(path));
    } else {
      problems.push_back(path.error().message());
    }
  }
  if (const auto pause = top.Number("pause_ms", 0, 600'000)) result.reader.pause = FromMilliseconds(*pause);
  if (const auto format = top.Text("format")) result.reader.format = *format;
  result.realtime = top.Bool("realtime").value_or(false);

  if (const auto audio = params.find("audio"); audio != params.end() && !audio->is_object()) {
    top.Problem("audio", *audio, "an object, as in {rate: 16000, frame_ms: 20}");
  } else if (audio != params.end()) {
    const auto audio_keys = KeysIn(kAudio);
    ObjectReader reader(*audio, "params.audio", audio_keys, problems);
    result.reader.rate = reader.Integer("rate", 1000, 768'000);
    result.reader.channels = reader.Integer("channels", 1, 64);
    if (const auto frame = reader.Number("frame_ms", 0.1, 10'000))
      result.reader.frame_duration = FromMilliseconds(*frame);
  }
  if (!problems.empty()) return Fail(ErrorCode::kInvalidArgument, "media.source: {}", fmt::join(problems, "\n"));
  return result;
}

}  // namespace penstock::nodes::media
