#include "manifest/env_file.h"

#include <optional>

#include "base/file.h"
#include "manifest/names.h"
#include "manifest/report.h"

namespace penstock::manifest {
namespace {

constexpr std::size_t kMostBytes = 1024UL * 1024;  // beyond what a program can be started with

/// Without quotes around it. nullopt: the closing one is missing.
auto Unquoted(std::string_view value) -> std::optional<std::string_view> {
  if (value.empty() || (value.front() != '"' && value.front() != '\'')) return value;
  if (value.size() < 2 || value.back() != value.front()) return std::nullopt;
  return value.substr(1, value.size() - 2);
}

void ReadLine(Report& report, std::string_view line, Position at, Variables& variables) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty() || line.starts_with('#')) return;
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return report.Add(at, "a line of variables is NAME=VALUE; this one has no '='");
  const auto name = line.substr(0, equals);
  if (const auto problem = CheckEnvName(name); !problem.empty()) return report.Add(at, "'{}' {}", name, problem);
  const auto value = Unquoted(line.substr(equals + 1));
  if (!value) return report.Add(at, "the value of '{}' begins with a quote that does not end it", name);
  if (value->find('\0') != std::string_view::npos) return report.Add(at, "the value of '{}' contains a NUL", name);
  if (!variables.emplace(name, *value).second) report.Add(at, "'{}' is given twice", name);
}

}  // namespace

auto ParseEnvFile(std::string_view text, const std::string& file) -> Checked<Variables> {
  Report report(file);
  Variables variables;
  for (int line = 1; !text.empty(); ++line) {
    const auto end = text.find('\n');
    ReadLine(report, text.substr(0, end), {.line = line, .column = 1}, variables);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (!report.empty()) return tl::unexpected(report.Take());
  return variables;
}

auto LoadEnvFile(const std::filesystem::path& path) -> Checked<Variables> {
  const auto text = base::ReadFile(path, kMostBytes);
  if (!text) return tl::unexpected(Errors{text.error()});
  return ParseEnvFile(*text, path.string());
}

}  // namespace penstock::manifest
