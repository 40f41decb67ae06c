#include "image/sqlite.h"

#include <sqlite3.h>

#include "base/log.h"

namespace penstock::image {
namespace {
using base::ErrorCode;
using base::Expected;
using base::Fail;
using base::Status;

auto CodeOf(int result) -> ErrorCode {
  switch (result & 0xff) {  // the rest says more about the same kind
    case SQLITE_FULL:
      return ErrorCode::kExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kPeerCorrupt;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
      return ErrorCode::kUnavailable;
    default:
      return ErrorCode::kInternal;
  }
}

auto Describe(sqlite3* database, int result, std::string_view attempted) -> tl::unexpected<base::Error> {
  const char* name = database == nullptr ? nullptr : sqlite3_db_filename(database, "main");
  if ((result & 0xff) == SQLITE_BUSY) {
    return Fail(ErrorCode::kUnavailable, "another process has kept '{}' busy for {} s; is it stopped?",
                name == nullptr ? "" : name, kBusyTimeout.count());
  }
  return Fail(CodeOf(result), "cannot {} '{}': {}", attempted, name == nullptr ? "" : name,
              database == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(database));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

auto Statement::Check(int code, std::string_view attempted) const -> Status {
  if (code == SQLITE_OK) return {};
  return Describe(sqlite3_db_handle(statement_.get()), code, attempted);
}

auto Statement::Bind(std::string_view text) -> Status {
  // A null pointer would bind NULL.
  return Check(sqlite3_bind_text64(statement_.get(), ++bound_, text.data() == nullptr ? "" : text.data(), text.size(),
                                   SQLITE_TRANSIENT, SQLITE_UTF8),
               "fill in a value for");
}

auto Statement::Bind(std::int64_t number) -> Status {
  return Check(sqlite3_bind_int64(statement_.get(), ++bound_, number), "fill in a value for");
}

auto Statement::Step() -> Expected<bool> {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return Describe(sqlite3_db_handle(statement_.get()), result, "use");
}

auto Statement::Text(int column) const -> std::string {
  const auto* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

auto Statement::Integer(int column) const -> std::int64_t { return sqlite3_column_int64(statement_.get(), column); }

void Database::Close::operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }

auto Database::Open(const std::filesystem::path& path) -> Expected<Database> {
  sqlite3* raw = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(raw);  // also after a failure, as SQLite wants it
  if (result != SQLITE_OK) {
    return Fail(CodeOf(result), "cannot open '{}': {}", path.string(),
                raw == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(raw));
  }
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, static_cast<int>(std::chrono::milliseconds(kBusyTimeout).count()));
  return database;
}

auto Database::Script(const std::string& sql) -> Status {
  const int result = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return Describe(database_.get(), result, "use");
  return {};
}

auto Database::Prepare(std::string_view sql) -> Expected<Statement> {
  sqlite3_stmt* raw = nullptr;
  const int result = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  if (result != SQLITE_OK) return Describe(database_.get(), result, "use");
  return Statement(raw);
}

auto Database::Changes() const -> int { return sqlite3_changes(database_.get()); }

auto Transaction::Begin(Database& database) -> Expected<Transaction> {
  PENSTOCK_TRY(database.Script("BEGIN IMMEDIATE"));
  return Transaction(database);
}

auto Transaction::Commit() -> Status {
  PENSTOCK_TRY(database_->Script("COMMIT"));
  database_ = nullptr;
  return {};
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  if (auto undone = database_->Script("ROLLBACK"); !undone) {
    base::Log(base::LogLevel::kWarning, "{}", undone.error().ToString());
  }
}

}  // namespace penstock::image
