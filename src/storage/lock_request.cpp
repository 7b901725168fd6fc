#include "storage/lock_request.hpp"

#include <sessile/time.hpp>

#include <boost/asio/defer.hpp>
#include <boost/asio/strand.hpp>

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace sessile::storage {

namespace {

using namespace std::chrono_literals;

/// How long a process with requests of its own may keep the lock, though nobody is in line before them: there
/// may be programs that stand in no line.
constexpr auto kLongestTenure = 20ms;

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : std::string();
}

LockHolder describe(const LockOwner& owner) {
  LockHolder holder;
  holder.pid = owner.pid;
  holder.host = host_name();
  if (owner.since.time_since_epoch().count() != 0) holder.since = format_time(owner.since);
  return holder;
}

std::exception_ptr aborted() {
  return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
}

}  // namespace

void Tenure::end() noexcept {
  auto& table = LockQueueTable::instance();
  std::shared_ptr<LockRequest> next;
  if (sidecar) {
    next = table.next(target->key);
    if (next && next->may_inherit(*this)) {
      observed.freed();
      next->take_turn(std::move(*this));
      return;
    }
    // Before a request of this process may open the file again.
    sidecar->let_go();
    sidecar.reset();
    target->directory->ring_for_next(target->sidecar());
    observed.freed();
  }
  if (!next) next = table.leave(target->key);
  if (next) next->take_turn(std::nullopt);
}

LockRequest::LockRequest(LockTargetPtr target, Deadline deadline, LockJob job, After after, bool may_wait)
    : target_(std::move(target)),
      deadline_(deadline),
      may_wait_(may_wait),
      job_(std::move(job)),
      held_(after == After::free ? nullptr : std::make_shared<HeldLock::State>()),
      strand_(asio::make_strand(target_->pool)),
      observed_(target_->options.observer(), target_->sidecar()),
      attempt_(target_) {}

LockRequest::~LockRequest() {
  // A tenure that was inherited and not begun ends as a member of this, and its turn with it.
  if (!inherited_) pass_turn_on();
}

/// Runs `step` on the strand, soon. Deferred by a thread that does the store's work: which ends one tenure
/// and goes on with the next, without waking another. Not by one of the pool's that does the caller's: nobody
/// knows when that ends, and it may be waiting for this.
void LockRequest::soon(Step step) noexcept {
  until_there_is_memory([this, step] {
    auto run = [self = shared_from_this(), step] { self->run_step(step); };
    if (detail::IoThreadMark::is_set()) {
      asio::defer(strand_, std::move(run));
    } else {
      asio::post(strand_, std::move(run));
    }
  });
}

/// What a step throws ends the request.
void LockRequest::run_step(Step step) noexcept {
  detail::IoThreadMark mark;
  try {
    (this->*step)();
  } catch (...) {
    if (stage_ == Stage::done) return;
    // What was given the turn meanwhile goes on from there.
    if (stage_ == Stage::queued && !leave_queue()) return;
    abort(std::current_exception());
  }
}

void LockRequest::start() {
  if (LockQueueTable::instance().enter(shared_from_this())) {
    take_turn(std::nullopt);
  } else if (!may_wait_) {
    soon(&LockRequest::on_cancelled);
  } else if (deadline_) {
    // Its turn may have come meanwhile: then it has set an alarm of its own, or needs none any more.
    alarm_.set_first(*deadline_, [self = shared_from_this()] { self->soon(&LockRequest::on_timer); });
  }
}

/// False: it is in the queue no more, and its turn has come.
bool LockRequest::leave_queue() {
  if (!LockQueueTable::instance().remove(*this)) return false;
  stage_ = Stage::leaving;
  return true;
}

void LockRequest::arrive() noexcept {
  arrival_ = Clock::now();
  observed_.asked(arrival_);
}

void LockRequest::cancel() {
  if (gate_.cancel()) soon(&LockRequest::on_cancelled);
}

void LockRequest::take_turn(std::optional<Tenure> inherited) noexcept {
  has_turn_ = true;
  if (inherited) inherited_.emplace(std::move(*inherited));
  soon(&LockRequest::begin);
}

bool LockRequest::may_inherit(const Tenure& tenure) const {
  const auto& before = tenure.target->options;
  const auto& mine = target_->options;
  if (before.waiting() != LockWaiting::notify || mine.waiting() != LockWaiting::notify) return false;
  if (before.primitive() != mine.primitive()) return false;
  auto& directory = *target_->directory;
  if (directory.anybody_in_line(target_->sidecar(), arrival_)) return false;
  // Freed for a moment, for those in no line; but not past those in it who came later than this request.
  return Clock::now() - tenure.begun < kLongestTenure ||
         directory.anybody_in_line(target_->sidecar(), Arrival::max());
}

void LockRequest::on_cancelled() {
  if (stage_ == Stage::done || stage_ == Stage::leaving) return;
  // What was given the turn meanwhile finds the gate closed when it begins.
  if (stage_ == Stage::queued && !leave_queue()) return;
  abort(aborted());
}

void LockRequest::begin() {
  stage_ = Stage::trying;
  if (inherited_) {
    Tenure before = *std::exchange(inherited_, std::nullopt);
    const LockTargetPtr opener = std::move(before.target);  // it goes on in the tenure that granted() makes
    return granted(std::move(before.sidecar), before.begun,
                   before.opened_in ? std::move(before.opened_in) : opener->directory);
  }
  if (gate_.cancelled()) return abort(aborted());
  attempt_.begin(arrival_, [weak = weak_from_this()](unsigned by) {
    if (const auto self = weak.lock()) self->wake(by);
  });
  attempt();
}

void LockRequest::attempt() {
  stage_ = Stage::trying;
  auto locked = attempt_.attempt();
  if (!locked) return refuse(locked.error());
  if (*locked) return granted(attempt_.take(), Clock::now());
  if (!may_wait_ || gate_.cancelled()) return abort(aborted());
  if (deadline_ && *deadline_ <= Clock::now()) return refuse_as_locked("another process holds it");
  stage_ = Stage::waiting;
  sleep();
}

void LockRequest::sleep() {
  auto until = Clock::now() + attempt_.pause();
  if (deadline_) until = std::min(until, *deadline_);
  look_again_at(until);
}

/// Keeps this alive until then: while it waits, nobody else does.
void LockRequest::look_again_at(Arrival when) {
  alarm_.set(when, [self = shared_from_this()] { self->soon(&LockRequest::on_timer); });
}

/// From whatever thread; several calls that come before the step are one.
void LockRequest::wake(unsigned by) {
  if (woken_by_.fetch_or(by) == 0) soon(&LockRequest::on_woken);
}

void LockRequest::on_woken() {
  const unsigned by = woken_by_.exchange(0);
  if (stage_ != Stage::waiting) return;
  attempt_.woken(by);
  attempt();
}

void LockRequest::on_timer() {
  if (stage_ == Stage::queued) {
    if (!leave_queue()) return;
    return refuse_as_locked("other operations of this process are before it");
  }
  if (stage_ != Stage::waiting) return;
  attempt_.paused();
  attempt();
}

void LockRequest::granted(std::unique_ptr<Sidecar> sidecar, Arrival begun,
                          std::shared_ptr<Directory> opened_in) {
  observed_.acquired();
  has_turn_ = false;
  std::optional<Tenure> tenure(std::in_place, target_, std::move(sidecar), begun, std::move(observed_));
  tenure->opened_in = std::move(opened_in);
  alarm_.end();
  if (!gate_.cancelled() && job_) {
    std::exchange(job_, nullptr)(gate_);
    if (!held_) {
      tenure.reset();
      return finish(LockOutcome());
    }
  }
  LockOutcome outcome;
  if (held_ && gate_.try_commit()) {
    held_->tenure.emplace(std::move(*tenure));
    outcome.held.emplace(std::move(held_));
  } else {
    tenure.reset();
    outcome.thrown = aborted();
  }
  finish(std::move(outcome));
}

void LockRequest::abort(std::exception_ptr thrown) {
  LockOutcome outcome;
  outcome.thrown = std::move(thrown);
  leave_line();
  finish(std::move(outcome));
}

void LockRequest::refuse(Error error) {
  LockOutcome outcome;
  outcome.refused = std::move(error);
  leave_line();
  finish(std::move(outcome));
}

void LockRequest::refuse_as_locked(std::string_view what) {
  auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - arrival_);
  refusal_ = Error(Errc::locked, what).with_path(target_->path()).with_waited(waited);
  stage_ = Stage::leaving;
  // Those behind are not to wait until the holder is found: the next one's step comes before that one.
  leave_line();
  soon(&LockRequest::on_refused);
}

void LockRequest::on_refused() {
  const auto owner = target_->directory->lock_holder(target_->sidecar());
  if (owner.pid != 0) refusal_->with_holder(describe(owner));
  refuse(std::move(*refusal_));
}

/// Without ever having had the lock.
void LockRequest::leave_line() noexcept {
  attempt_.give_up();
  pass_turn_on();
}

void LockRequest::pass_turn_on() noexcept {
  if (!std::exchange(has_turn_, false)) return;
  const Tenure turn(target_, nullptr, arrival_, LockWatch(nullptr, {}));
}

void LockRequest::finish(LockOutcome outcome) {
  stage_ = Stage::done;
  alarm_.end();
  // Before whoever observes may be gone.
  observed_.freed();
  complete(std::move(outcome));
}

}  // namespace sessile::storage
