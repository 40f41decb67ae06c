#include "manifest/load.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <tuple>

#include "manifest/check.h"
#include "manifest/model.h"
#include "manifest/report.h"

namespace penstock::manifest {
namespace {

auto ReadAll(std::istream& stream) -> std::string {
  std::string text(kMaxTextBytes + 1, '\0');  // one more, so that ParseTree can refuse what is longer
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

auto ReadFile(const std::filesystem::path& path) -> base::Expected<std::string> {
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return base::SystemError(fmt::format("open the manifest '{}'", path.string()));
  auto text = ReadAll(stream);
  if (stream.bad()) return base::SystemError(fmt::format("read the manifest '{}'", path.string()));
  return text;
}

auto ReadText(std::string_view text, std::string file, std::filesystem::path directory) -> Reading {
  Report report(file);
  Reading reading;
  reading.pipeline.file = std::move(file);
  reading.pipeline.directory = std::move(directory);
  if (const auto tree = ParseTree(text, report)) {
    ReadPipeline(report, *tree, reading.pipeline);
    CheckPipeline(report, reading.pipeline);
  }
  reading.errors = report.Take();
  return reading;
}

auto WithoutErrors(Reading reading) -> Checked<Pipeline> {
  if (!reading.errors.empty()) return tl::unexpected(std::move(reading.errors));
  return std::move(reading.pipeline);
}

}  // namespace

auto Parse(std::string_view text, std::string file, std::filesystem::path directory) -> Checked<Pipeline> {
  return WithoutErrors(ReadText(text, std::move(file), std::move(directory)));
}

auto Read(const std::filesystem::path& path) -> Reading {
  std::error_code ignored;
  if (path == "-") return ReadText(ReadAll(std::cin), "<stdin>", std::filesystem::current_path(ignored));
  const auto file = std::filesystem::is_directory(path, ignored) ? path / "pipeline.yaml" : path;
  auto text = ReadFile(file);
  if (!text) return {.pipeline = {}, .errors = Errors{std::move(text).error()}};
  const auto absolute = std::filesystem::weakly_canonical(file, ignored);
  return ReadText(*text, file.string(), absolute.parent_path());
}

auto Load(const std::filesystem::path& path) -> Checked<Pipeline> { return WithoutErrors(Read(path)); }

auto Sorted(Errors errors, const std::string& file) -> Errors {
  const auto key = [&](const base::Error& error) {
    const auto at = error.position().value_or(base::SourcePosition{});
    return std::tuple(at.file != file, at.file, at.line, at.column, error.message());
  };
  std::ranges::sort(errors, {}, key);
  const auto repeated = std::ranges::unique(errors, {}, key);
  errors.erase(repeated.begin(), repeated.end());
  return errors;
}

auto RenderErrors(const Errors& errors) -> std::string {
  std::string text;
  for (const auto& error : errors) text += error.ToString() + "\n";
  if (errors.size() > 1) text += fmt::format("{} errors\n", errors.size());
  return text;
}

}  // namespace penstock::manifest
