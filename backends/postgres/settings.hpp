// What a connection string says, checked without connecting.
#pragma once

#include <sessile/postgres.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace sessile::postgres {

/// `name` as an SQL identifier, in double quotes. Errors: invalid_argument, see PostgresOptions::schema.
Result<std::string> quoted_schema(std::string_view name);

/// Where to connect, and how long that may take.
class Target {
 public:
  Target() {}
  /// A list of libpq's (host, hostaddr or port), with the `first` host at its beginning.
  std::string list_from(const std::string& list, std::size_t first) const;

  std::string connection;                 ///< for libpq; may hold credentials: never shown
  std::chrono::milliseconds per_host{0};  ///< the longest an attempt may take with one host
  std::size_t hosts = 1;
  std::string host, hostaddr, port;  ///< libpq's lists
};

/// Looks that libpq takes `connection`. Errors: invalid_argument, which quotes nothing of it.
Result<Target> check_connection(std::string connection);

/// Takes Sessile's own parameters out of a URL into `options` and `open`; returns what is libpq's. Errors:
/// invalid_argument.
Result<std::string> split_url(const StoreUrl& url, PostgresOptions& options, OpenOptions& open);

/// Errors: invalid_argument.
Result<void> check_options(const PostgresOptions& options);

}  // namespace sessile::postgres
