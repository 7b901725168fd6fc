// Takes down when one lock was asked for, had and freed, for whoever observes locks.
#pragma once

#include <sessile/lock_observer.hpp>

#include <memory>
#include <string>
#include <utility>

namespace sessile::storage {

/// One lock's way from the request to its end. Without an observer it does nothing, and reads no clock.
class LockWatch {
 public:
  /// The lock named `lock` is being asked for. `observer` may be null.
  LockWatch(std::shared_ptr<const LockObserver> observer, std::string lock) : observer_(std::move(observer)) {
    if (!observer_) return;
    lock_ = std::move(lock);
    event_.requested = Clock::now();
  }
  LockWatch(LockWatch&& other) noexcept = default;
  LockWatch& operator=(LockWatch&&) = delete;
  /// Tells what was not told: that it was freed now, or given up.
  ~LockWatch() { freed(); }

  /// Was asked for at another time than the construction.
  void asked(std::chrono::steady_clock::time_point when) noexcept { event_.requested = when; }
  void acquired() noexcept {
    if (observer_) event_.acquired = Clock::now();
  }
  /// Tells the observer, once.
  void freed() noexcept {
    if (!observer_) return;
    event_.released = Clock::now();
    event_.lock = lock_;
    const auto observer = std::exchange(observer_, nullptr);
    try {
      (*observer)(event_);
    } catch (...) {
      // An observer's failure is not the lock's.
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::shared_ptr<const LockObserver> observer_;
  std::string lock_;
  LockEvent event_;
};

}  // namespace sessile::storage
