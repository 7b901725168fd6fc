// Reads and transactions on the pool: tried again where that is safe, and truthful where it is not.
#pragma once

#include "place.hpp"
#include "pool.hpp"
#include "statements.hpp"
#include "storage/deadline.hpp"

#include <sessile/options.hpp>

#include <chrono>
#include <memory>
#include <optional>

namespace sessile::postgres {

/// How a transaction is to be run.
class Terms {
 public:
  Terms() noexcept {}
  Terms(Durability durability_, std::chrono::milliseconds timeout)
      : durability(durability_),
        deadline(timeout.count() > 0 ? storage::deadline_after(timeout) : std::nullopt) {}
  Durability durability = Durability::power;
  storage::Deadline deadline;
  /// The commands can be run again after an outcome that is not known: they recognise themselves.
  bool repeatable = false;
};

/// A transaction that was begun and is held open.
class OpenTransaction {
 public:
  OpenTransaction() {}
  Lease lease;
  Flight flight;
};

/// Thread-safe. Its coroutines run on strands of the internal executor, with throw_if_cancelled(false).
class Database {
 public:
  Database(asio::any_io_executor io, Target target, const PostgresOptions& options, std::string quoted_schema,
           MissingPlace missing);

  const Statements statements;

  /// One flight of reads; empty when there are no tables yet. Errors: those of to_error.
  Async<std::optional<Flight>> read(Commands commands);

  /// Runs `body` as one transaction in one flight, and returns its replies. Errors: those of to_error, and
  /// indeterminate; any other says that nothing happened.
  Async<Flight> write(Commands body, Terms terms);

  /// Begins a transaction with `body`, whose replies are at hand while it stays open. Ending the lease
  /// undoes it.
  Async<OpenTransaction> begin(Commands body, Terms terms);
  /// Ends it with `body` and a commit. Errors: as write. Empty: the server undid it, begin again.
  Async<std::optional<Flight>> finish(OpenTransaction transaction, Commands body);
  /// Undoes it.
  asio::awaitable<void> abandon(OpenTransaction transaction);

  void close() noexcept { pool_->close(); }
  /// As Pool::breaks.
  std::uint64_t breaks() noexcept { return pool_->breaks(); }

 private:
  using Clock = std::chrono::steady_clock;
  class Attempts;
  class Prepared {
   public:
    Prepared() {}
    Lease lease;
    bool ready = false;
  };

  Async<Prepared> prepare(Attempts& attempts, bool make);
  std::vector<Parameter> settings(const Terms& terms) const;
  const Statement& settings_statement(const Terms& terms) const;
  Error refusal(const Failure& failure) const;

  const std::chrono::milliseconds lock_timeout_;
  const std::chrono::milliseconds retry_timeout_;
  const std::shared_ptr<Pool> pool_;
  Place place_;
};

}  // namespace sessile::postgres
