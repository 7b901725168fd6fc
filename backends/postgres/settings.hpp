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
  std::string connection;                ///< for libpq; may hold credentials: never shown
  std::chrono::milliseconds attempt{0};  ///< the longest one attempt may take, over all hosts
};

/// Looks that libpq takes `connection`. Errors: invalid_argument, which quotes nothing of it.
Result<Target> check_connection(std::string connection);

/// Takes Sessile's own parameters out of a URL into `options` and `open`; returns what is libpq's. Errors:
/// invalid_argument.
Result<std::string> split_url(const StoreUrl& url, PostgresOptions& options, OpenOptions& open);

/// Errors: invalid_argument.
Result<void> check_options(const PostgresOptions& options);

}  // namespace sessile::postgres
