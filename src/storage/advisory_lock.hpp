// An exclusive lock between coroutines and processes, waited for without blocking a thread.
#pragma once

#include "storage/file_system.hpp"
#include "storage/io_pool.hpp"
#include "storage/lock_watch.hpp"

#include <sessile/lock_options.hpp>
#include <sessile/result.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sessile::storage {

/// A point on the monotonic clock; empty: none.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;

/// Ownership of one sidecar: nobody else in any process has it. Movable. Destroying it frees the kernel's
/// lock, then lets the next coroutine in this process's queue try: at once on a thread of the pool, so that
/// the last job of an operation should own it; elsewhere by a job posted to the pool, since closing a file
/// may block. Must be destroyed before another is waited for, unless all owners take several in sorted order.
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

  /// Runs `work(gate)` on the pool while holding the lock; frees the lock there, before it resumes the
  /// caller, so that a caller's busy executor keeps nobody waiting.
  /// Without contention that is one crossing to the pool and back. `work` runs at most once and returns a
  /// Result<T>.
  template <class T, class Work>
  Async<T> run_locked(Deadline deadline, Work work);

 private:
  /// Waits for this process's turn.
  Async<LockTurn> enter_queue(Deadline deadline) const;
  /// Tries the kernel's lock; null when another process has it. Blocks.
  Result<std::unique_ptr<LockFile>> try_kernel_lock() const;
  /// Waits until it is worth trying again.
  Async<void> wait_for_release(const LockTurn& turn, Deadline deadline, int attempt) const;
  Error locked_error(std::string_view what, std::chrono::steady_clock::time_point since) const;
  std::string path() const;

  std::shared_ptr<Directory> directory_;
  std::string sidecar_;
  LockOptions options_;
  asio::any_io_executor pool_;
};

template <class T, class Work>
Async<T> AdvisoryLock::run_locked(Deadline deadline, Work work) {
  LockWatch watch(options_.observer(), sidecar_);
  auto turn = co_await enter_queue(deadline);
  if (!turn) co_return turn.error();
  for (int attempt = 0;; ++attempt) {
    // Empty: another process holds the lock.
    std::optional<Result<T>> outcome =
        co_await run_on(pool_, [this, &work, &turn, &watch](CommitGate& gate) -> std::optional<Result<T>> {
          auto lock = try_kernel_lock();
          if (!lock) return Result<T>(lock.error());
          if (!*lock) return std::nullopt;
          watch.acquired();
          std::optional<Result<T>> result(work(gate));
          lock->reset();
          watch.freed();
          [[maybe_unused]] const LockTurn finished = std::move(*turn);
          return result;
        });
    // Nothing is awaited from here on: a cancellation that came too late must not hide the outcome.
    if (outcome) co_return std::move(*outcome);
    auto waited = co_await wait_for_release(*turn, deadline, attempt);
    if (!waited) co_return waited.error();
  }
}

}  // namespace sessile::storage
