// A thin hold on SQLite: connections, statements and transactions as types, failures as values.
//
// A connection belongs to one thread. Several processes may have the same file open; each waits for the others' short
// transactions (kBusyTimeout). The file must be on a local file system: WAL needs shared memory between its users.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace penstock::image {

/// How long a statement waits for another process. Ours hold the file for milliseconds; a machine that swaps may not.
inline constexpr std::chrono::seconds kBusyTimeout{20};

/// A prepared statement with its values. Columns count from 0, parameters are bound in order.
class Statement final {
 public:
  /// True: a row is there. False: done.
  auto Step() -> base::Expected<bool>;
  auto Text(int column) const -> std::string;
  auto Integer(int column) const -> std::int64_t;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  auto Bind(std::string_view text) -> base::Status;
  auto Bind(std::int64_t number) -> base::Status;
  auto Check(int code, std::string_view attempted) const -> base::Status;

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

/// Errors of everything here: kUnavailable (another process kept the file busy, it cannot be opened or written),
/// kExhausted (disk full), kPeerCorrupt (it is no database, or a damaged one).
class Database final {
 public:
  /// Opens or makes the file.
  static auto Open(const std::filesystem::path& path) -> base::Expected<Database>;

  /// Statements without results or values, separated by semicolons.
  auto Script(const std::string& sql) -> base::Status;
  /// A statement with its values: integers, or text.
  template <class... Values>
  auto Query(std::string_view sql, const Values&... values) -> base::Expected<Statement> {
    PENSTOCK_ASSIGN(auto statement, Prepare(sql));
    base::Status bound;
    static_cast<void>(((bound = BindOne(statement, values), bound.has_value()) && ...));
    if (!bound) return tl::make_unexpected(std::move(bound).error());
    return statement;
  }
  /// Runs a statement that gives no rows. Result: how many rows it changed.
  template <class... Values>
  auto Execute(std::string_view sql, const Values&... values) -> base::Expected<int> {
    PENSTOCK_ASSIGN(auto statement, Query(sql, values...));
    PENSTOCK_TRY(statement.Step());
    return Changes();
  }

 private:
  struct Close {
    void operator()(sqlite3* database) const noexcept;
  };
  explicit Database(sqlite3* database) : database_(database) {}
  auto Prepare(std::string_view sql) -> base::Expected<Statement>;
  auto Changes() const -> int;
  template <class Value>
  static auto BindOne(Statement& statement, const Value& value) -> base::Status {
    if constexpr (std::is_integral_v<Value>) {
      return statement.Bind(static_cast<std::int64_t>(value));
    } else {
      return statement.Bind(std::string_view(value));
    }
  }

  std::unique_ptr<sqlite3, Close> database_;
};

/// Everything between Begin and Commit happens, or nothing of it. Takes the right to write at once, so that what was
/// read in it is still true when it is written. Undone when destroyed without Commit.
class Transaction final {
 public:
  static auto Begin(Database& database) -> base::Expected<Transaction>;
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  auto operator=(Transaction&&) -> Transaction& = delete;
  Transaction(const Transaction&) = delete;
  auto operator=(const Transaction&) -> Transaction& = delete;
  ~Transaction();
  auto Commit() -> base::Status;

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace penstock::image
