// An exclusive lock between coroutines and processes, waited for without blocking a thread.
#pragma once

#include "storage/file_system.hpp"
#include "storage/io_pool.hpp"

#include <sessile/lock_options.hpp>
#include <sessile/result.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sessile::storage {

/// A point on the monotonic clock; empty: none.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;

/// Ownership of one sidecar: nobody else in any process has it. Movable. Destroying it frees the kernel's
/// lock, then lets the next coroutine in this process's queue try. Must be destroyed before another is waited
/// for, unless all owners take several in sorted order.
class HeldLock {
 public:
  class State;
  explicit HeldLock(std::unique_ptr<State> state) noexcept;
  HeldLock(HeldLock&&) noexcept;
  HeldLock& operator=(HeldLock&&) noexcept;
  ~HeldLock();

 private:
  std::unique_ptr<State> state_;
};

/// One coroutine's turn in this process's queue for a sidecar: the right to try the kernel's lock. Movable;
/// destroying it lets the next one try.
class LockTurn {
 public:
  class State;
  explicit LockTurn(std::shared_ptr<State> state) noexcept;
  LockTurn(LockTurn&&) noexcept;
  LockTurn& operator=(LockTurn&&) noexcept;
  ~LockTurn();

 private:
  friend class AdvisoryLock;
  std::shared_ptr<State> state_;
};

/// The lock of one sidecar file in one directory.
///
/// Within the process waiters are served first come, first served, from a process-wide table keyed by the
/// directory's identity and the sidecar's name, so that two stores on one directory share a queue. Across
/// processes the kernel's lock decides. Both waits end at the deadline with `locked` (holder and time waited
/// given where known), and at a cancellation with operation_aborted thrown, as Asio's own operations do. No
/// thread waits.
///
/// Thread-safe. Copyable: copies stand for the same lock.
class AdvisoryLock {
 public:
  AdvisoryLock(std::shared_ptr<Directory> directory, std::string sidecar, LockOptions options,
               asio::any_io_executor pool);

  /// The earlier of `operation` (which starts with the operation, if it has a timeout) and the lock's own
  /// timeout from now.
  Deadline deadline(std::chrono::milliseconds operation_timeout) const;

  /// Waits for the lock and returns holding it.
  Async<HeldLock> acquire(Deadline deadline);

  /// Runs `work(gate)` on the pool while holding the lock; frees the lock before it resumes the caller.
  /// Without contention that is one crossing to the pool and back. `work` runs at most once and returns a
  /// Result<T>.
  template <class T, class Work>
  Async<T> run_locked(Deadline deadline, Work work);

 private:
  asio::awaitable<Result<LockTurn>> enter_queue(Deadline deadline);
  /// Tries the kernel's lock; null when another process has it.
  Result<std::unique_ptr<LockFile>> try_kernel_lock() const;
  /// Waits until it is worth trying again.
  asio::awaitable<Result<void>> wait_for_release(Deadline deadline, int attempt);
  Error locked_error(std::chrono::steady_clock::time_point since) const;

  std::shared_ptr<Directory> directory_;
  std::string sidecar_;
  LockOptions options_;
  asio::any_io_executor pool_;
};

template <class T, class Work>
Async<T> AdvisoryLock::run_locked(Deadline deadline, Work work) {
  auto turn = co_await enter_queue(deadline);
  if (!turn) co_return turn.error();
  for (int attempt = 0;; ++attempt) {
    // Empty: another process holds the lock.
    std::optional<Result<T>> outcome =
        co_await run_on(pool_, [this, &work](CommitGate& gate) -> std::optional<Result<T>> {
          auto lock = try_kernel_lock();
          if (!lock) return Result<T>(lock.error());
          if (!*lock) return std::nullopt;
          return Result<T>(work(gate));
        });
    if (outcome) co_return std::move(*outcome);
    auto waited = co_await wait_for_release(deadline, attempt);
    if (!waited) co_return waited.error();
  }
}

}  // namespace sessile::storage
