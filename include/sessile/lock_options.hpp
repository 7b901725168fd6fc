// How the backends that use files keep writers apart.
#pragma once

#include <sessile/lock_observer.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace sessile {

/// The system call behind an advisory lock. docs/locking.md says what each promises.
enum class LockPrimitive {
  automatic,              ///< open_file_description. URL: `lock=auto`
  open_file_description,  ///< URL: `lock=ofd`
  interprocess,           ///< boost::interprocess::file_lock, a POSIX record lock; excludes the former. URL:
                          ///< `lock=interprocess`
  flock,  ///< what the reference library takes, and an open file description lock beside it, so
          ///< that it excludes both. URL: `lock=flock`
};

/// How a lock that another process holds is waited for. docs/locking.md compares them.
enum class LockWaiting {
  notify,  ///< in line, woken when the lock is let go. Where the system has no wake-up, in line all the same,
           ///< looking at growing intervals. URL: `waiting=notify`
  backoff,  ///< in no line: tries at growing intervals up to 10 ms. URL: `waiting=backoff`
  poll,     ///< in no line: tries at a constant interval. URL: `waiting=poll:50ms`
};

/// All processes that share a directory with a program that takes flock alone must take `flock` too: the two
/// other primitives ignore such a program's locks.
class LockOptions {
 public:
  LockOptions() noexcept {}
  LockOptions& primitive(LockPrimitive value) noexcept { return primitive_ = value, *this; }
  /// The longest wait for a lock before `locked`; an operation's own timeout may be shorter. 0: one attempt
  /// (where PostgresOptions::lock_timeout waits for ever). URL: `lock_timeout=5s`.
  LockOptions& timeout(std::chrono::milliseconds value) noexcept { return timeout_ = value, *this; }

  /// `interval`: between the attempts of LockWaiting::poll; at least 1 ms.
  LockOptions& waiting(LockWaiting value,
                       std::chrono::milliseconds interval = std::chrono::milliseconds(50)) noexcept {
    return waiting_ = value, poll_interval_ = interval, *this;
  }
  /// Told of each lock. A store takes it from OpenOptions::lock_observer.
  LockOptions& observer(LockObserver value) {
    observer_ = value ? std::make_shared<const LockObserver>(std::move(value)) : nullptr;
    return *this;
  }

  LockPrimitive primitive() const noexcept { return primitive_; }
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }
  LockWaiting waiting() const noexcept { return waiting_; }
  std::chrono::milliseconds poll_interval() const noexcept { return poll_interval_; }
  /// Null when there is none.
  const std::shared_ptr<const LockObserver>& observer() const noexcept { return observer_; }

 private:
  LockPrimitive primitive_ = LockPrimitive::automatic;
  std::chrono::milliseconds timeout_{5000};
  LockWaiting waiting_ = LockWaiting::notify;
  std::chrono::milliseconds poll_interval_{50};
  std::shared_ptr<const LockObserver> observer_;
};

}  // namespace sessile
