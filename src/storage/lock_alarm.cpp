#include "storage/lock_alarm.hpp"

#include "storage/io_pool.hpp"

#include <boost/asio/steady_timer.hpp>

#include <map>
#include <mutex>
#include <utility>

namespace sessile::storage {

/// All alarms of the process, by the time at which they are due.
class AlarmClock {
 public:
  using Clock = LockAlarm::Clock;

  /// Never destroyed: waits may end while the program does.
  static AlarmClock& instance() {
    static auto& clock = *new AlarmClock;
    return clock;
  }

  void set(LockAlarm& alarm, Clock::time_point when, LockAlarm::Ring ring, bool only_first) {
    Due made;
    made.emplace(Key(when, &alarm), std::move(ring));
    Due::node_type replaced;  // destroyed after the mutex is free: it may end who has this alarm
    const std::lock_guard lock(mutex_);
    if (alarm.ended_ || (only_first && alarm.was_set_)) return;
    replaced = due_.extract(Key(alarm.when_, &alarm));
    due_.insert(made.extract(made.begin()));
    alarm.when_ = when;
    alarm.was_set_ = true;
    until_there_is_memory([this] { arm(); });
  }

  void end(LockAlarm& alarm) noexcept {
    Due::node_type gone;  // as above
    const std::lock_guard lock(mutex_);
    alarm.ended_ = true;
    if (alarm.when_ == Clock::time_point()) return;
    gone = due_.extract(Key(alarm.when_, &alarm));
    alarm.when_ = Clock::time_point();
    // The timer stays: it finds nothing due.
    if (ending_ && due_.empty()) disarm();
  }

 private:
  using Key = std::pair<Clock::time_point, LockAlarm*>;
  using Due = std::map<Key, LockAlarm::Ring>;

  AlarmClock() : timer_(io_executor()) {
    before_io_pool_ends([this] {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      if (due_.empty()) disarm();
    });
  }

  /// The pool ends when nothing is outstanding, which the timer is.
  void disarm() {
    armed_ = Clock::time_point::max();
    timer_.cancel();
  }

  void arm() {
    if (due_.empty() || due_.begin()->first.first >= armed_) return;
    const Clock::time_point first = due_.begin()->first.first;
    armed_ = Clock::time_point::max();
    timer_.expires_at(first);
    timer_.async_wait([this](boost::system::error_code cancelled) {
      if (!cancelled) on_time();
    });
    armed_ = first;
  }

  void on_time() noexcept {
    Due now_due;
    {
      const std::lock_guard lock(mutex_);
      armed_ = Clock::time_point::max();
      const auto now = Clock::now();
      while (!due_.empty() && due_.begin()->first.first <= now) {
        due_.begin()->first.second->when_ = Clock::time_point();
        now_due.insert(due_.extract(due_.begin()));
      }
      until_there_is_memory([this] { arm(); });
    }
    for (const auto& [when, ring] : now_due)
      ring();
  }

  std::mutex mutex_;
  // Guarded by mutex_:
  Due due_;
  asio::steady_timer timer_;
  Clock::time_point armed_ = Clock::time_point::max();  // when the timer goes off
  bool ending_ = false;
};

void LockAlarm::set(Clock::time_point when, Ring ring) {
  AlarmClock::instance().set(*this, when, std::move(ring), false);
}

void LockAlarm::set_first(Clock::time_point when, Ring ring) {
  AlarmClock::instance().set(*this, when, std::move(ring), true);
}

void LockAlarm::end() noexcept {
  AlarmClock::instance().end(*this);
}

}  // namespace sessile::storage
