// When a wait for a lock is to look again by itself.
#pragma once

#include <chrono>
#include <functional>

namespace sessile::storage {

/// One alarm. All of the process share one timer, which is set anew only for what is due before all else:
/// most waits end before their alarm, and setting and ending it should cost no system call. Thread-safe.
class LockAlarm {
 public:
  using Clock = std::chrono::steady_clock;
  using Ring = std::function<void()>;

  LockAlarm() noexcept {}
  ~LockAlarm() { end(); }
  LockAlarm(const LockAlarm&) = delete;
  LockAlarm& operator=(const LockAlarm&) = delete;

  /// `ring` is called on a thread of the pool, must not block, and is kept until then, until end(), or
  /// until something else is set. A call that is under way may still arrive after that.
  void set(Clock::time_point when, Ring ring);
  /// The same, unless set() came first.
  void set_first(Clock::time_point when, Ring ring);
  /// From here on nothing is set any more, by whichever thread.
  void end() noexcept;

 private:
  friend class AlarmClock;
  // Guarded by the clock's mutex:
  Clock::time_point when_;  // the epoch: not set
  bool was_set_ = false;
  bool ended_ = false;
};

}  // namespace sessile::storage
