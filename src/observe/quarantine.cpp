#include "observe/quarantine.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/paths.h"

namespace penstock::observe {
namespace {

using base::ErrorCode;
using base::Fail;
using nlohmann::json;

constexpr std::size_t kMostDescription = std::size_t{16} << 20U;
constexpr const char* kUnfinished = ".unfinished";
constexpr const char* kLock = ".lock";
// Others hold it alone only while they remove what the dead have left.
constexpr std::chrono::seconds kPatience{10};

auto Describe(const Quarantined& entry) -> std::string {
  auto description = ToJson(entry);
  description["version"] = 1;
  return description.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

auto Text(const json& object, const char* name) -> std::string {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <class Number>
auto NumberOf(const json& object, const char* name) -> Number {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<Number>() : Number{};
}

auto Read(const std::filesystem::path& folder) -> std::optional<Quarantined> {
  const auto text = base::ReadFile(folder / "message.json", kMostDescription);
  if (!text) return std::nullopt;
  const auto description = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!description.is_object() || Text(description, "id") != folder.filename()) return std::nullopt;
  Quarantined entry{.id = Text(description, "id"),
                    .time_ns = NumberOf<std::int64_t>(description, "time_ns"),
                    .session = Text(description, "session"),
                    .pipeline = Text(description, "pipeline"),
                    .manifest = Text(description, "manifest"),
                    .node = Text(description, "node"),
                    .node_type = Text(description, "node_type"),
                    .port = Text(description, "port"),
                    .edge = Text(description, "edge"),
                    .sequence = NumberOf<std::uint64_t>(description, "sequence"),
                    .failures = {}};
  for (const auto& failure : description.value("failures", json::array())) {
    if (failure.is_object())
      entry.failures.push_back({.sentence = Text(failure, "sentence"), .traceback = Text(failure, "traceback")});
  }
  return entry;
}

auto SyncFolder(const std::filesystem::path& folder) -> base::Status {
  const base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return base::SystemError(fmt::format("write '{}' to the disk", folder.string()));
  return {};
}

}  // namespace

auto ToJson(const Quarantined& entry) -> json {
  json failures = json::array();
  for (const auto& failure : entry.failures)
    failures.push_back({{"sentence", failure.sentence}, {"traceback", failure.traceback}});
  return {{"id", entry.id},
          {"time_ns", entry.time_ns},
          {"session", entry.session},
          {"pipeline", entry.pipeline},
          {"manifest", entry.manifest},
          {"node", entry.node},
          {"node_type", entry.node_type},
          {"port", entry.port},
          {"edge", entry.edge},
          {"sequence", entry.sequence},
          {"failures", std::move(failures)}};
}

auto QuarantineDirectory() -> base::Expected<std::filesystem::path> {
  PENSTOCK_ASSIGN(auto state, base::StateDirectory());
  auto folder = state / "quarantine";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return base::SystemError(fmt::format("make '{}'", folder.string()), error.value());
  return folder;
}

auto QuarantineWriter::Create(const std::filesystem::path& quarantine, Quarantined entry)
    -> base::Expected<QuarantineWriter> {
  PENSTOCK_ASSIGN(auto lock, base::FileLock::Acquire(quarantine / kLock, base::Deadline::In(kPatience), {},
                                                     base::LockMode::kShared));
  auto unfinished = quarantine / (entry.id + kUnfinished);
  std::error_code error;
  std::filesystem::remove_all(unfinished, error);
  if (!std::filesystem::create_directory(unfinished, error))
    return base::SystemError(fmt::format("make '{}'", unfinished.string()), error.value());
  const auto path = unfinished / "message.bin";
  base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return base::SystemError(fmt::format("make '{}'", path.string()));
  return QuarantineWriter(std::move(lock), std::move(entry), std::move(unfinished), std::move(file));
}

QuarantineWriter::~QuarantineWriter() {
  std::error_code error;
  if (!unfinished_.empty()) std::filesystem::remove_all(unfinished_, error);
}

auto QuarantineWriter::Write(std::span<const std::byte> bytes) -> base::Status {
  while (!bytes.empty()) {
    const auto written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::SystemError(fmt::format("write to '{}'", (unfinished_ / "message.bin").string()));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

auto QuarantineWriter::Commit() -> base::Status {
  if (::fsync(file_.get()) != 0)
    return base::SystemError(fmt::format("write '{}' to the disk", (unfinished_ / "message.bin").string()));
  file_.reset();
  PENSTOCK_TRY(base::ReplaceFile(unfinished_ / "message.json", Describe(entry_)));
  PENSTOCK_TRY(SyncFolder(unfinished_));
  const auto folder = unfinished_.parent_path() / entry_.id;
  std::error_code error;
  std::filesystem::rename(unfinished_, folder, error);
  if (error) return base::SystemError(fmt::format("make '{}'", folder.string()), error.value());
  unfinished_.clear();
  return SyncFolder(folder.parent_path());
}

void SweepQuarantine(const std::filesystem::path& quarantine) {
  std::vector<std::filesystem::path> unfinished;
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator(quarantine, error)) {
    if (folder.path().extension() == kUnfinished) unfinished.push_back(folder.path());
  }
  if (unfinished.empty()) return;
  const auto lock = base::FileLock::TryAcquire(quarantine / kLock);
  if (!lock || !*lock) return;
  for (const auto& folder : unfinished) std::filesystem::remove_all(folder, error);
}

auto QuarantinedBytes(const std::filesystem::path& quarantine) -> std::uint64_t {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator(quarantine, error)) {
    std::error_code gone;  // somebody removes it
    for (std::filesystem::directory_iterator file(folder, gone), end; !gone && file != end; file.increment(gone)) {
      if (const auto size = file->file_size(gone); !gone) bytes += size;
    }
  }
  return bytes;
}

auto ListDamaged(const std::filesystem::path& quarantine) -> std::vector<std::string> {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator(quarantine, error)) {
    const bool is_entry = folder.is_directory(error) && folder.path().extension() != kUnfinished;
    if (is_entry && !Read(folder.path())) names.push_back(folder.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

auto ListQuarantined(const std::filesystem::path& quarantine) -> std::vector<Quarantined> {
  std::vector<Quarantined> entries;
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator(quarantine, error)) {
    if (auto entry = Read(folder.path())) entries.push_back(std::move(*entry));
  }
  std::ranges::sort(entries, {}, [](const Quarantined& entry) { return std::pair(entry.time_ns, entry.id); });
  return entries;
}

auto FindQuarantined(const std::filesystem::path& quarantine, std::string_view prefix) -> base::Expected<Quarantined> {
  constexpr std::size_t kMostNamed = 5;
  const auto all = ListQuarantined(quarantine);
  std::vector<std::string> ids;
  for (const auto& entry : all) {
    if (entry.id.starts_with(prefix)) ids.push_back(entry.id);
  }
  if (ids.size() == 1) return *std::ranges::find(all, ids.front(), &Quarantined::id);
  if (all.empty()) return Fail(ErrorCode::kNotFound, "there is no message in quarantine");
  if (ids.empty()) {
    return Fail(
        ErrorCode::kNotFound,
        "no message in quarantine has an id that begins with '{}'; 'penstock quarantine' lists the {} that there "
        "are",
        prefix, all.size());
  }
  const auto count = ids.size();
  ids.resize(std::min(count, kMostNamed));
  return Fail(ErrorCode::kConflict, "{} messages in quarantine have ids that begin with '{}', give more of one: {}{}",
              count, prefix, fmt::join(ids, ", "), count > kMostNamed ? ", …" : "");
}

}  // namespace penstock::observe
