// The queue in which this process's coroutines wait for one sidecar.
#pragma once

#include "storage/advisory_lock.hpp"

#include <boost/asio/steady_timer.hpp>

#include <list>
#include <map>
#include <mutex>

namespace sessile::storage {

/// One sidecar, as every store of this process sees it.
class SidecarKey {
 public:
  SidecarKey(FileIdentity directory_, std::string name_) : directory(directory_), name(std::move(name_)) {}
  FileIdentity directory;
  std::string name;
  friend auto operator<=>(const SidecarKey&, const SidecarKey&) = default;
};

/// A turn that was or will be given. Once owned, destroying it gives the turn to the next waiter.
class LockTurn::State {
 public:
  explicit State(SidecarKey key_) : key(std::move(key_)) {}
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  const SidecarKey key;
  /// When its owner began to wait.
  const std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  bool owned = false;  ///< set by the table, under its mutex, before anybody else can see it
};

enum class WaitEnd { granted, deadline, cancelled };

/// How a wait ended, and the turn when it was granted. Whoever drops it unseen gives the turn back.
class WaitOutcome {
 public:
  WaitOutcome() {}
  WaitOutcome(WaitEnd end_, std::shared_ptr<LockTurn::State> turn_) : end(end_), turn(std::move(turn_)) {}
  WaitEnd end = WaitEnd::cancelled;
  std::shared_ptr<LockTurn::State> turn;
};

/// A coroutine in the queue. Completes once: whoever takes it out of its queue, under the table's mutex,
/// completes it.
class Waiter {
 public:
  Waiter(SidecarKey key, const asio::any_io_executor& timers)
      : turn(std::make_shared<LockTurn::State>(std::move(key))), timer(timers) {}
  virtual ~Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  /// Posts the outcome to the coroutine's executor.
  virtual void complete(WaitOutcome outcome) = 0;

  // Guarded by the table's mutex:
  std::shared_ptr<LockTurn::State> turn;  // made beforehand, so that giving it cannot fail
  asio::steady_timer timer;
  bool queued = false;
  std::list<std::shared_ptr<Waiter>>::iterator place;
};

/// The queues of all sidecars that are in use; an entry lives as long as somebody has the turn. Thread-safe.
class LockQueueTable {
 public:
  /// Never destroyed: turns may end while the program does.
  static LockQueueTable& instance();

  /// The turn when nobody has it, else null.
  std::shared_ptr<LockTurn::State> try_enter(const SidecarKey& key);
  /// Queues `waiter`; when the turn became free meanwhile, completes it at once.
  void wait(std::shared_ptr<Waiter> waiter, Deadline deadline);
  /// Takes `waiter` out and completes it with `end`, unless it is completed already.
  void give_up(const std::shared_ptr<Waiter>& waiter, WaitEnd end);
  /// Passes the turn on.
  void leave(const SidecarKey& key) noexcept;
  /// How many sidecars are in use.
  std::size_t size();

 private:
  using Queue = std::list<std::shared_ptr<Waiter>>;
  std::mutex mutex_;
  std::map<SidecarKey, Queue> queues_;  // guarded by mutex_; without the owner of the turn
};

}  // namespace sessile::storage
