#include "image/index.h"

#include "base/count.h"
#include "base/paths.h"
#include "image/index_schema.h"

namespace penstock::image {
namespace {
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;

constexpr std::string_view kColumns =
    "identity, state, image, contents, size, created, last_used, uses, pinned, borrowed, failure, fingerprint";

auto Milliseconds(Time time) -> std::int64_t { return time.time_since_epoch().count(); }
auto TimeAt(std::int64_t milliseconds) -> Time { return Time(std::chrono::milliseconds(milliseconds)); }

auto ParseState(std::string_view text) -> State {
  if (text == "building") return State::kBuilding;
  return text == "failed" ? State::kFailed : State::kAvailable;
}

auto ReadEntry(const Statement& row) -> Entry {
  Entry entry;
  entry.identity = row.Text(0);
  entry.state = ParseState(row.Text(1));
  entry.image = row.Text(2);
  entry.contents = ParseContents(row.Text(3)).value_or(Contents{});
  entry.size_bytes = row.Integer(4);
  entry.created = TimeAt(row.Integer(5));
  entry.last_used = TimeAt(row.Integer(6));
  entry.uses = row.Integer(7);
  entry.pinned = row.Integer(8) != 0;
  entry.borrowed = row.Integer(9) != 0;
  entry.failure = row.Text(10);
  entry.fingerprint = row.Text(11);
  return entry;
}

}  // namespace

auto Now() -> Time { return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()); }

auto Ago(Time then, Time now) -> std::string {
  const auto minutes = std::chrono::floor<std::chrono::minutes>(now - then).count();
  if (minutes < 1) return "less than a minute ago";
  if (minutes < 120) return fmt::format("{} min ago", minutes);
  return minutes < 48 * 60 ? fmt::format("{} h ago", minutes / 60) : base::Count(minutes / (24 * 60), "day") + " ago";
}

auto ToString(State state) -> std::string_view {
  switch (state) {
    case State::kBuilding:
      return "building";
    case State::kAvailable:
      return "available";
    case State::kFailed:
      break;
  }
  return "failed";
}

auto Index::Open(const std::filesystem::path& file, std::string engine) -> Expected<Index> {
  PENSTOCK_ASSIGN(auto database, OpenIndexFile(file));
  return Index(std::move(database), std::move(engine));
}

auto Index::OpenDefault(std::string engine) -> Expected<Index> {
  PENSTOCK_ASSIGN(const auto state, base::StateDirectory());
  return Open(state / "images.sqlite", std::move(engine));
}

auto Index::Find(std::string_view identity) -> Expected<std::optional<Entry>> {
  PENSTOCK_ASSIGN(auto rows,
                  database_.Query(fmt::format("SELECT {} FROM environment WHERE engine = ? AND identity = ?", kColumns),
                                  engine_, identity));
  PENSTOCK_ASSIGN(const bool found, rows.Step());
  if (!found) return std::nullopt;
  return ReadEntry(rows);
}

auto Index::List() -> Expected<std::vector<Entry>> {
  PENSTOCK_ASSIGN(
      auto rows,
      database_.Query(
          fmt::format("SELECT {} FROM environment WHERE engine = ? ORDER BY last_used DESC, identity", kColumns),
          engine_));
  std::vector<Entry> entries;
  for (;;) {
    PENSTOCK_ASSIGN(const bool more, rows.Step());
    if (!more) return entries;
    entries.push_back(ReadEntry(rows));
  }
}

auto Index::BeginBuild(const std::string& identity, const Contents& contents, Time now) -> Status {
  PENSTOCK_TRY(database_.Execute(
      "INSERT INTO environment (engine, identity, state, contents, created, last_used) "
      "VALUES (?1, ?2, 'building', ?3, ?4, ?4) "
      "ON CONFLICT DO UPDATE SET state = 'building', image = '', contents = excluded.contents, size = 0, "
      "created = excluded.created, last_used = excluded.last_used, borrowed = 0, failure = '', fingerprint = ''",
      engine_, identity, ToJsonText(contents), Milliseconds(now)));
  return {};
}

auto Index::Record(const Entry& entry) -> Status {
  PENSTOCK_TRY(database_.Execute(
      "INSERT INTO environment (engine, identity, state, image, contents, size, created, last_used, uses, borrowed) "
      "VALUES (?, ?, 'available', ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET state = 'available', image = excluded.image, contents = excluded.contents, "
      "size = excluded.size, created = excluded.created, last_used = max(last_used, excluded.last_used), "
      "uses = uses + excluded.uses, borrowed = excluded.borrowed, failure = '', fingerprint = ''",
      engine_, entry.identity, entry.image, ToJsonText(entry.contents), entry.size_bytes, Milliseconds(entry.created),
      Milliseconds(entry.last_used), entry.uses, entry.borrowed));
  return {};
}

auto Index::RecordFailure(const std::string& identity, const Failure& failure, Time now) -> Status {
  PENSTOCK_TRY(
      database_.Execute("UPDATE environment SET state = 'failed', failure = ?, fingerprint = ?, last_used = ? "
                        "WHERE engine = ? AND identity = ? AND state = 'building'",
                        failure.sentence, failure.fingerprint, Milliseconds(now), engine_, identity));
  return {};
}

auto Index::AbandonBuild(const std::string& identity) -> Status {
  PENSTOCK_TRY(database_.Execute(
      "DELETE FROM environment WHERE engine = ? AND identity = ? AND state = 'building' AND pinned = 0", engine_,
      identity));
  PENSTOCK_TRY(
      database_.Execute("UPDATE environment SET state = 'failed', failure = 'its build was stopped before it was done' "
                        "WHERE engine = ? AND identity = ? AND state = 'building'",
                        engine_, identity));
  return {};
}

auto Index::Touch(const std::string& identity, Time now) -> Status {
  PENSTOCK_TRY(database_.Execute(
      "UPDATE environment SET last_used = max(last_used, ?), uses = uses + 1 WHERE engine = ? AND identity = ?",
      Milliseconds(now), engine_, identity));
  return {};
}

auto Index::Forget(const Entry& seen) -> Status {
  PENSTOCK_TRY(database_.Execute(
      "DELETE FROM environment WHERE engine = ? AND identity = ? AND state = ? AND image = ? AND created = ?", engine_,
      seen.identity, ToString(seen.state), seen.image, Milliseconds(seen.created)));
  return {};
}

auto Index::SetPinned(const std::string& identity, bool pinned) -> Status {
  PENSTOCK_ASSIGN(const int changed,
                  database_.Execute("UPDATE environment SET pinned = ? WHERE engine = ? AND identity = ?", pinned,
                                    engine_, identity));
  if (changed == 0) return Fail(ErrorCode::kNotFound, "there is no environment '{}'", identity);
  return {};
}

auto Index::FindFacts(const std::string& image, const std::string& prober) -> Expected<std::optional<FoundFacts>> {
  PENSTOCK_ASSIGN(auto rows,
                  database_.Query("SELECT facts, found FROM probe WHERE engine = ? AND image = ? AND prober = ?",
                                  engine_, image, prober));
  PENSTOCK_ASSIGN(const bool found, rows.Step());
  if (!found) return std::nullopt;
  return FoundFacts{rows.Text(0), TimeAt(rows.Integer(1))};
}

auto Index::RecordFacts(const std::string& image, const std::string& prober, const FoundFacts& found) -> Status {
  PENSTOCK_TRY(
      database_.Execute("INSERT OR REPLACE INTO probe (engine, image, prober, facts, found) VALUES (?, ?, ?, ?, ?)",
                        engine_, image, prober, found.facts, Milliseconds(found.found)));
  return {};
}

}  // namespace penstock::image
