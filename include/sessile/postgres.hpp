// Sessions in PostgreSQL, and in what speaks its protocol. Needs the library sessile::postgres as well.
#pragma once

#include <sessile/open.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace sessile {

/// What a PostgreSQL store can be told beside its connection string. Value type with chainable setters.
class PostgresOptions {
 public:
  PostgresOptions() {}
  /// The schema that holds the tables: 1 to 63 bytes of UTF-8, no control characters, not `pg_…` and not
  /// `information_schema`; compared exactly, small and capital letters differ. URL: `schema=NAME`.
  PostgresOptions& schema(std::string value) { return schema_ = std::move(value), *this; }
  /// At most this many connections, 1 to 1,000; opened when needed. URL: `pool_size=N`.
  PostgresOptions& pool_size(std::size_t value) noexcept { return pool_size_ = value, *this; }
  /// The longest wait for a row that another writer holds before `locked`; an operation's own timeout may be
  /// shorter; 0 waits for ever. URL: `lock_timeout=5s`.
  PostgresOptions& lock_timeout(std::chrono::milliseconds value) noexcept {
    return lock_timeout_ = value, *this;
  }
  /// How long an operation goes on trying to get a connection, and tries again what the server undid
  /// (a serialization failure, a restart, a failover), before it fails. URL: `retry_timeout=30s`.
  PostgresOptions& retry_timeout(std::chrono::milliseconds value) noexcept {
    return retry_timeout_ = value, *this;
  }

  const std::string& schema() const noexcept { return schema_; }
  std::size_t pool_size() const noexcept { return pool_size_; }
  std::chrono::milliseconds lock_timeout() const noexcept { return lock_timeout_; }
  std::chrono::milliseconds retry_timeout() const noexcept { return retry_timeout_; }

 private:
  std::string schema_ = "sessile";
  std::size_t pool_size_ = 8;
  std::chrono::milliseconds lock_timeout_{5000};
  std::chrono::milliseconds retry_timeout_{30000};
};

/// A store in the database that `connection` names, in libpq's own syntax (a URI or `key=value` pairs);
/// backends/postgres/README.md gives its tables and promises. Does no I/O. Errors: invalid_argument for a
/// connection string that libpq refuses and for options out of range. No error ever holds any part of
/// `connection`.
Result<std::shared_ptr<SessionStore>> make_postgres_store(std::string connection,
                                                          PostgresOptions options = PostgresOptions(),
                                                          OpenOptions open = OpenOptions());

/// Makes open_store know `postgres://…` and `postgresql://…`: libpq's URI, with the parameters of every store
/// and those of PostgresOptions beside libpq's own. Calling it again is harmless. Thread-safe.
Result<void> register_postgres();

}  // namespace sessile
