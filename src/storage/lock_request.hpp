// One request for a sidecar's lock, from the queue of its process to its end.
#pragma once

#include "storage/advisory_lock.hpp"
#include "storage/lock_alarm.hpp"
#include "storage/lock_attempt.hpp"
#include "storage/lock_queue.hpp"
#include "storage/lock_watch.hpp"

#include <boost/asio/strand.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace sessile::storage {

/// A process's possession of one sidecar, on behalf of one request at a time: the turn, and the lock when it
/// is had. Movable. Its end, which is that of the last one it was moved to, frees the lock and rings for who
/// is next in line; or hands the locked sidecar to the next request of the process, when nobody in another
/// one came before it.
class Tenure {
 public:
  Tenure(LockTargetPtr target_, std::unique_ptr<Sidecar> sidecar_, Arrival begun_,
         LockWatch observed_) noexcept
      : target(std::move(target_)),
        sidecar(std::move(sidecar_)),
        begun(begun_),
        observed(std::move(observed_)) {}
  Tenure(Tenure&&) noexcept = default;
  Tenure& operator=(Tenure&&) = delete;
  ~Tenure() {
    if (target) end();
  }
  LockTargetPtr target;              ///< null: it was moved from
  std::unique_ptr<Sidecar> sidecar;  ///< locked; null: only the turn is given up
  Arrival begun;                     ///< when this process got the lock from another, or from nobody
  LockWatch observed;                ///< of the request, not of the process
  /// Which the sidecar was opened in, when another request of this process did that: it must outlive it.
  std::shared_ptr<Directory> opened_in;

 private:
  void end() noexcept;
};

/// What is behind a HeldLock; empty until the lock is had.
class HeldLock::State {
 public:
  State() noexcept {}
  std::optional<Tenure> tenure;

  static void release(std::shared_ptr<State> state) noexcept;
};

/// How a request ended: with an exception, an error, the lock, or (its job was done, the lock freed) none of
/// these.
class LockOutcome {
 public:
  LockOutcome() noexcept {}
  std::exception_ptr thrown;
  std::optional<Error> refused;
  std::optional<HeldLock> held;
};

/// Waits and works on its pool alone, so that a caller whose executor is busy keeps nobody waiting. All steps
/// run on a strand, one after the other.
class LockRequest : public std::enable_shared_from_this<LockRequest> {
 public:
  /// What becomes of the lock when the job is done: it is freed, or goes to the caller.
  enum class After { free, keep };

  /// `job`: run once on the pool while the lock is held; null: none. `may_wait` false: the request was made
  /// by somebody already cancelled; it ends where it would have to wait.
  LockRequest(LockTargetPtr target, Deadline deadline, LockJob job, After after, bool may_wait);
  /// One whose steps were never run gives up its turn here.
  virtual ~LockRequest();
  LockRequest(const LockRequest&) = delete;
  LockRequest& operator=(const LockRequest&) = delete;

  /// Enters the queue of the process; called once.
  void start();
  /// From the table, under its mutex: so the order of the arrivals is that of the queue.
  void arrive() noexcept;
  /// From any thread: ends the wait, or closes the gate of the job.
  void cancel();
  /// From whoever had the turn before, perhaps with the lock itself.
  void take_turn(std::optional<Tenure> inherited) noexcept;
  /// Whether `tenure` may go on with this request rather than being freed for other processes.
  bool may_inherit(const Tenure& tenure) const;

  const SidecarKey& key() const noexcept { return target_->key; }

  /// The place in the queue; guarded by the table's mutex.
  std::optional<LockQueueTable::Queue::iterator> queued;

 protected:
  /// Called once, on the pool.
  virtual void complete(LockOutcome outcome) = 0;

 private:
  using Clock = LockTarget::Clock;
  /// leaving: it is on its way out, and in no queue any more.
  enum class Stage { queued, trying, waiting, leaving, done };

  using Step = void (LockRequest::*)();

  void soon(Step step) noexcept;
  void run_step(Step step) noexcept;
  void begin();
  void attempt();
  void sleep();
  void look_again_at(Arrival when);
  void on_timer();
  void on_woken();
  void on_cancelled();
  void on_refused();
  void wake(unsigned by);
  bool leave_queue();

  void granted(std::unique_ptr<Sidecar> sidecar, Arrival begun,
               std::shared_ptr<Directory> opened_in = nullptr);
  void pass_turn_on() noexcept;
  void refuse(Error error);
  void refuse_as_locked(std::string_view what);
  void leave_line() noexcept;
  void abort(std::exception_ptr thrown);
  void finish(LockOutcome outcome);

  const LockTargetPtr target_;
  const Deadline deadline_;
  const bool may_wait_;
  LockJob job_;
  std::shared_ptr<HeldLock::State> held_;  // of a lock to keep; made where a lack of memory can be told
  CommitGate gate_;
  asio::strand<asio::any_io_executor> strand_;
  Arrival arrival_;  // constant once it has arrived
  LockWatch observed_;
  // Set by who hands on the turn, before the step that takes it:
  bool has_turn_ = false;
  std::optional<Tenure> inherited_;
  std::atomic<unsigned> woken_by_{0};
  LockAlarm alarm_;

  // Of the strand alone:
  Stage stage_ = Stage::queued;
  LockAttempt attempt_;
  std::optional<Error> refusal_;  // while its holder is looked for
};

}  // namespace sessile::storage
