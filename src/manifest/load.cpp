#include "manifest/load.h"

#include <cerrno>
#include <fstream>
#include <iostream>
#include <sstream>

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

}  // namespace

auto Parse(std::string_view text, std::string file, std::filesystem::path directory) -> Checked<Pipeline> {
  auto tree = ParseTree(text, file);
  if (!tree) return tl::unexpected(std::move(tree).error());
  Report report(file);
  Pipeline pipeline;
  pipeline.file = std::move(file);
  pipeline.directory = std::move(directory);
  ReadPipeline(report, **tree, pipeline);
  CheckPipeline(report, pipeline);
  if (!report.empty()) return tl::unexpected(report.Take());
  return pipeline;
}

auto Load(const std::filesystem::path& path) -> Checked<Pipeline> {
  std::error_code ignored;
  if (path == "-") return Parse(ReadAll(std::cin), "<stdin>", std::filesystem::current_path(ignored));
  const auto file = std::filesystem::is_directory(path, ignored) ? path / "pipeline.yaml" : path;
  auto text = ReadFile(file);
  if (!text) return tl::unexpected(Errors{std::move(text).error()});
  const auto absolute = std::filesystem::weakly_canonical(file, ignored);
  return Parse(*text, file.string(), absolute.parent_path());
}

auto RenderErrors(const Errors& errors) -> std::string {
  std::string text;
  for (const auto& error : errors) text += error.ToString() + "\n";
  if (errors.size() > 1) text += fmt::format("{} errors\n", errors.size());
  return text;
}

}  // namespace penstock::manifest
