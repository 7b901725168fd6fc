// An exclusive lock between coroutines and processes, waited for without blocking a thread.
#pragma once

#include "storage/deadline.hpp"
#include "storage/io_pool.hpp"
#include "storage/lock_target.hpp"

#include <sessile/result.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sessile::storage {

/// Done under a lock, on the pool. Throws nothing.
using LockJob = std::function<void(CommitGate&)>;

class LockOutcome;

/// Ownership of one sidecar: nobody else in any process has it. Movable. Destroying it hands the lock to the
/// next coroutine in this process's queue, or frees it when somebody in another process came first: at once
/// on a thread of the pool, so that the last job of an operation should own it; elsewhere by a job posted to
/// the pool, since closing a file may block. Must be destroyed before another is waited for, unless all
/// owners take several in sorted order.
class HeldLock {
 public:
  class State;
  explicit HeldLock(std::shared_ptr<State> state) noexcept;
  HeldLock(HeldLock&&) noexcept;
  HeldLock& operator=(HeldLock&&) noexcept;
  ~HeldLock();

 private:
  std::shared_ptr<State> state_;
};

/// The lock of one sidecar file in one directory.
///
/// Who comes first is served first: within the process from a process-wide table keyed by the directory's
/// identity and the sidecar's name, so that two stores on one directory share a queue; across processes by a
/// line in the file system (LockWaiting::notify). The kernel's lock decides. A wait ends at the deadline with
/// `locked` (holder and time waited given where known), and at a cancellation with operation_aborted thrown,
/// as Asio's own operations do. No thread waits. docs/locking.md describes the whole.
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
  /// With or without contention that is one crossing to the pool and back. `work` runs at most once and
  /// returns a Result<T>.
  template <class T, class Work>
  Async<T> run_locked(Deadline deadline, Work work) {
    return run<T>(deadline, std::move(work), nullptr);
  }

  /// The same, but the lock stays with the caller, in `held`, also when `work` returned an error.
  template <class T, class Work>
  Async<T> run_and_keep(Deadline deadline, std::optional<HeldLock>& held, Work work) {
    return run<T>(deadline, std::move(work), &held);
  }

 private:
  template <class T, class Work>
  Async<T> run(Deadline deadline, Work work, std::optional<HeldLock>* held);
  /// Empty: `job`, if there is one, was done, and `held`, if it is asked for, has the lock.
  asio::awaitable<std::optional<Error>> obtain(Deadline deadline, LockJob job,
                                               std::optional<HeldLock>* held) const;

  LockTargetPtr target_;
};

template <class T, class Work>
Async<T> AdvisoryLock::run(Deadline deadline, Work work, std::optional<HeldLock>* held) {
  std::optional<Result<T>> result;
  std::exception_ptr thrown;
  LockJob job = [&result, &thrown, &work](CommitGate& gate) {
    try {
      result.emplace(work(gate));
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  auto refused = co_await obtain(deadline, std::move(job), held);
  // Nothing is awaited from here on: a cancellation that came too late must not hide the outcome.
  if (refused) co_return std::move(*refused);
  if (thrown) std::rethrow_exception(thrown);
  co_return std::move(*result);
}

}  // namespace sessile::storage
