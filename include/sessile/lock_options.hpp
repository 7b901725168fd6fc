// How the backends that use files keep writers apart.
#pragma once

#include <sessile/lock_observer.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace sessile {

/// The system call behind an advisory lock. docs/locking.md says what each promises.
enum class LockPrimitive {
  automatic,              ///< open_file_description where the system has it, else interprocess
  open_file_description,  ///< URL: `lock=ofd`
  interprocess,           ///< boost::interprocess::file_lock, a POSIX record lock; excludes the former. URL:
                          ///< `lock=interprocess`
  flock,                  ///< what the reference library takes; ignores the two others. URL: `lock=flock`
};

/// All processes that share a directory must take locks of one family: {ofd, interprocess} or {flock}.
class LockOptions {
 public:
  LockOptions() noexcept {}
  LockOptions& primitive(LockPrimitive value) noexcept { return primitive_ = value, *this; }
  /// The longest wait for a lock before `locked`; an operation's own timeout may be shorter. URL:
  /// `lock_timeout=5s`.
  LockOptions& timeout(std::chrono::milliseconds value) noexcept { return timeout_ = value, *this; }

  /// Told of each lock. A store takes it from OpenOptions::lock_observer.
  LockOptions& observer(LockObserver value) {
    observer_ = value ? std::make_shared<const LockObserver>(std::move(value)) : nullptr;
    return *this;
  }

  LockPrimitive primitive() const noexcept { return primitive_; }
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }
  /// Null when there is none.
  const std::shared_ptr<const LockObserver>& observer() const noexcept { return observer_; }

 private:
  LockPrimitive primitive_ = LockPrimitive::automatic;
  std::chrono::milliseconds timeout_{5000};
  std::shared_ptr<const LockObserver> observer_;
};

}  // namespace sessile
