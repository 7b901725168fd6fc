// How one request gets a lock from the kernel: its place in the line, its tries, and what wakes it.
#pragma once

#include "storage/lock_target.hpp"

#include <sessile/result.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace sessile::storage {

/// What woke a request; several at once, or none.
class Waking {
 public:
  static constexpr unsigned kBell = 1;     ///< who let go of the lock, or left the line, rang
  static constexpr unsigned kClosing = 2;  ///< somebody closed the sidecar
};

/// Called on a thread of the pool with one of Waking's bits; must not block.
using WakeUp = std::function<void(unsigned)>;

/// Used by its request alone, on its strand. Destroying it leaves the line and frees the lock, if it still
/// has them.
class LockAttempt {
 public:
  using Clock = LockTarget::Clock;

  explicit LockAttempt(LockTargetPtr target) : target_(std::move(target)) {}

  /// Before the first try. `wake`: another try may succeed.
  void begin(Arrival arrival, WakeUp wake);
  /// Tries once. False: not yet; to be called again after a wake-up, noted by woken(), or a pause(), noted by
  /// paused(). Errors: io, unavailable.
  Result<bool> attempt();
  void woken(unsigned by);
  void paused();
  /// The longest wait for a wake-up before the next try.
  Clock::duration pause() const;

  /// The locked sidecar, after attempt() was true. Nothing of the attempt is left then.
  std::unique_ptr<Sidecar> take();
  /// Leaves the line, without ever having had the lock, and rings for who is next.
  void give_up() noexcept;

 private:
  Result<bool> try_lock();
  SysResult<void> open_sidecar();
  bool is_first();
  bool may_overtake();
  void give_back() noexcept;
  void enter_line();
  bool wants_sidecar_watch() const;
  void leave() noexcept;

  const LockTargetPtr target_;
  Arrival arrival_;
  WakeUp wake_;
  std::unique_ptr<LinePlace> place_;  // null: in no line
  std::unique_ptr<Watch> bell_;       // of `place_`
  bool first_ = false;                // of the line
  std::int64_t leader_ = 0;           // who was first when last looked at
  std::int64_t idle_leader_ = 0;      // who was first when this found the lock free; 0: it has not
  bool contended_ = false;            // the lock was not free at once
  std::unique_ptr<Sidecar> sidecar_;
  std::unique_ptr<Watch> sidecar_watch_;  // after `sidecar_`
  bool watch_refused_ = false;
  unsigned woken_by_ = 0;
  bool waited_ = false;
  Arrival last_news_;  // when somebody last let go
  int pauses_ = 0;     // since then
};

}  // namespace sessile::storage
