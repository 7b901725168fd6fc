// The connections of one store: a bounded number, handed out first come, first served.
#pragma once

#include "connection.hpp"

#include <sessile/result.hpp>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

namespace sessile::postgres {

class Pool;

/// A connection, held. It goes back when this does; one that cannot be used again is closed.
class Lease {
 public:
  Lease() {}
  Lease(std::shared_ptr<Pool> pool, std::unique_ptr<Connection> connection)
      : pool_(std::move(pool)), connection_(std::move(connection)) {}
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { give_back(); }
  Connection& operator*() const noexcept { return *connection_; }
  Connection* operator->() const noexcept { return connection_.get(); }
  void give_back() noexcept;

 private:
  std::shared_ptr<Pool> pool_;
  std::unique_ptr<Connection> connection_;
};

/// Thread-safe. Its coroutines run on strands of the internal executor, with throw_if_cancelled(false).
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(asio::any_io_executor io, Target target, std::size_t size)
      : io_(std::move(io)), target_(std::move(target)), size_(size) {}

  /// An idle connection that still lives, else a new one, else the next that is given back. A failed attempt
  /// to connect is made again, later and later, until `deadline`; all who wait share the pauses, so that a
  /// server that comes back is not trampled. Errors: unavailable, unsupported, cancelled.
  Async<Lease> acquire(std::chrono::steady_clock::time_point deadline);

  /// How many connections turned out to have been ended by the server, or by what is in between, or were
  /// given up before the server had answered.
  std::uint64_t breaks() noexcept;

  /// Closes the idle connections, and those in use when they come back.
  void close() noexcept;

 private:
  friend class Lease;
  using Clock = std::chrono::steady_clock;
  class Waiter;
  class Slot;

  void release(std::unique_ptr<Connection> connection) noexcept;
  /// An idle connection, or the right to open one (null), or neither: then `waiter` was queued.
  bool take(std::unique_ptr<Connection>& connection, const std::shared_ptr<Waiter>& waiter);
  /// Gives the right to open a connection to who waits longest.
  void pass_on_slot() noexcept;
  asio::awaitable<bool> wait_turn(std::shared_ptr<Waiter> waiter, Clock::time_point deadline);
  /// For one that cannot wait: what it was given meanwhile goes to the next.
  void leave_queue(Waiter& waiter) noexcept;
  /// The right to open one must be held; it is the lease's then.
  Async<Lease> connect(Clock::time_point deadline);
  Clock::time_point next_attempt();
  std::size_t first_host();
  /// `first`: the host that the attempt began with.
  void note(const Connection::Opened& opened, std::size_t first);

  const asio::any_io_executor io_;
  const Target target_;
  const std::size_t size_;
  std::mutex mutex_;
  // Protected by mutex_.
  std::vector<std::unique_ptr<Connection>> idle_;  // the last used at the end
  std::deque<std::shared_ptr<Waiter>> waiters_;
  std::size_t open_ = 0;  // connections, and rights to open one; at most size_
  bool closed_ = false;
  std::uint64_t breaks_ = 0;
  std::size_t first_host_ = 0;  // to be tried; raised past one that is silent, which libpq would not leave
  int failures_ = 0;            // attempts to connect since one succeeded
  Clock::time_point not_before_{};
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace sessile::postgres
