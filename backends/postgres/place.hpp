// The schema and the tables: found, made and brought up to date.
#pragma once

#include "connection.hpp"
#include "statements.hpp"

#include <sessile/open.hpp>
#include <sessile/result.hpp>

#include <atomic>
#include <string>

namespace sessile::postgres {

/// Thread-safe.
class Place {
 public:
  Place(const PostgresOptions& options, std::string quoted, MissingPlace missing,
        const Statements& statements)
      : schema_(options.schema()), quoted_(std::move(quoted)), missing_(missing), statements_(statements) {}

  /// What an attempt found. A failure is the connection's or the server's, and may be worth another try.
  class Found {
   public:
    Found() {}
    bool ready = false;      ///< else, without failure and refusal: nothing there yet
    bool cancelled = false;  ///< the caller gave up meanwhile; no later wait on its strand would know
    std::optional<Failure> failure;
    std::optional<Error> refusal;
  };
  /// Looks at the version of the tables, once; with `make`, makes them or brings them up to date where need
  /// be. Any number of processes may do so at once: an advisory lock lets one go first.
  asio::awaitable<Found> find(Connection& connection, bool make);

  /// The tables were dropped: look again.
  void forget() noexcept { ready_ = false; }

 private:
  Found judge(const Flight& flight, bool make, bool& migrate) const;
  asio::awaitable<Found> migrate(Connection& connection);
  static asio::awaitable<Found> run(Connection& connection, const Commands& commands, Flight& flight);
  std::int64_t lock_number() const noexcept;

  const std::string schema_;
  const std::string quoted_;
  const MissingPlace missing_;
  const Statements& statements_;
  std::atomic<bool> ready_{false};
};

}  // namespace sessile::postgres
