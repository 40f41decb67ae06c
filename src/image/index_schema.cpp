#include "image/index_schema.h"

#include <array>
#include <system_error>

#include "base/file_lock.h"
#include "base/log.h"

namespace penstock::image {
namespace fs = std::filesystem;
namespace {
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;

// Times are milliseconds since 1970 (UTC), sizes bytes.
constexpr std::array kMigrations{
    R"sql(
CREATE TABLE environment (
  engine      TEXT NOT NULL,               -- its socket: images of another engine are others
  identity    TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('building', 'available', 'failed')),
  image       TEXT NOT NULL DEFAULT '',    -- "sha256:…" when available
  contents    TEXT NOT NULL,               -- JSON, see contents.h
  size        INTEGER NOT NULL DEFAULT 0,  -- what it adds to its base
  created     INTEGER NOT NULL,
  last_used   INTEGER NOT NULL,
  uses        INTEGER NOT NULL DEFAULT 0,
  pinned      INTEGER NOT NULL DEFAULT 0,
  borrowed    INTEGER NOT NULL DEFAULT 0,  -- made for another state directory: used, never removed from here
  failure     TEXT NOT NULL DEFAULT '',    -- what a failed build has said
  fingerprint TEXT NOT NULL DEFAULT '',    -- of the host's configuration then; empty: try again at once
  PRIMARY KEY (engine, identity),
  CHECK ((state = 'available') = (image <> '')),
  CHECK ((state = 'failed') = (failure <> ''))
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE probe (
  engine TEXT NOT NULL,
  image  TEXT NOT NULL,    -- "sha256:…"
  prober TEXT NOT NULL,    -- who looked, and as which user
  facts  TEXT NOT NULL,    -- JSON, see image_facts.h
  found  INTEGER NOT NULL,
  PRIMARY KEY (engine, image)
) STRICT, WITHOUT ROWID;
)sql"};

auto Version(Database& database) -> Expected<std::size_t> {
  PENSTOCK_ASSIGN(auto statement, database.Query("PRAGMA user_version"));
  PENSTOCK_TRY(statement.Step());
  return static_cast<std::size_t>(statement.Integer(0));
}

auto Migrate(Database& database, std::span<const char* const> migrations) -> Status {
  PENSTOCK_ASSIGN(auto transaction, Transaction::Begin(database));
  PENSTOCK_ASSIGN(const auto version, Version(database));
  for (std::size_t i = version; i < migrations.size(); ++i) PENSTOCK_TRY(database.Script(migrations[i]));
  if (version < migrations.size()) {
    PENSTOCK_TRY(database.Script(fmt::format("PRAGMA user_version = {}", migrations.size())));
  }
  return transaction.Commit();
}

auto OpenOnce(const fs::path& path, std::span<const char* const> migrations) -> Expected<Database> {
  PENSTOCK_ASSIGN(auto database, Database::Open(path));
  // In WAL mode a commit is atomic at this level, too; what a power cut may take is the last commits, never the file.
  PENSTOCK_TRY(database.Script("PRAGMA synchronous = NORMAL"));
  PENSTOCK_ASSIGN(const auto version, Version(database));
  if (version == migrations.size()) return database;
  if (version > migrations.size()) {
    return Fail(ErrorCode::kUnsupported,
                "'{}' was written by a newer Penstock (version {}, this one knows {}); use that one, or move the file "
                "away: a new one is made from the images that are there",
                path.string(), version, migrations.size());
  }
  // Switching to WAL does not wait for others as everything else does.
  PENSTOCK_ASSIGN(const auto lock, base::FileLock::Acquire(path.string() + ".lock", base::Deadline::In(kBusyTimeout)));
  PENSTOCK_TRY(database.Script("PRAGMA journal_mode = WAL"));
  PENSTOCK_TRY(Migrate(database, migrations));
  return database;
}

}  // namespace

auto IndexMigrations() -> std::span<const char* const> { return kMigrations; }

auto OpenIndexFile(const fs::path& path, std::span<const char* const> migrations) -> Expected<Database> {
  auto database = OpenOnce(path, migrations);
  if (database || database.error().code() != ErrorCode::kPeerCorrupt) return database;
  PENSTOCK_ASSIGN(const auto lock,
                  base::FileLock::Acquire(path.string() + ".lock-damaged", base::Deadline::In(kBusyTimeout)));
  database = OpenOnce(path, migrations);  // somebody else may have done it meanwhile
  if (database || database.error().code() != ErrorCode::kPeerCorrupt) return database;
  const auto aside = fs::path(path.string() + ".damaged");
  std::error_code error;
  fs::rename(path, aside, error);
  if (error) return database;
  for (const auto* suffix : {"-wal", "-shm"}) fs::remove(path.string() + suffix, error);
  base::Log(base::LogLevel::kWarning,
            "the image index was damaged and is made anew from the engine's images; the old one is '{}'. Pins are lost",
            aside.string());
  return OpenOnce(path, migrations);
}

}  // namespace penstock::image
