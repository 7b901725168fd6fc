#include "storage/lock_request.hpp"

#include "storage/replace_file.hpp"

#include <sessile/time.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/defer.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <utility>

namespace sessile::storage {

namespace {

using namespace std::chrono_literals;

/// How long a process with requests of its own may keep the lock, though nobody is in line before them: there
/// may be programs that stand in no line.
constexpr auto kLongestTenure = 20ms;
/// When nothing was heard for so long, the line is not trusted: its first may be stopped, or may have died
/// and left a child with its descriptors.
constexpr auto kSilence = 100ms;

/// `longest` less a random part, so that those who wait don't try in step.
LockTarget::Clock::duration scattered(LockTarget::Clock::duration longest) {
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<LockTarget::Clock::rep> part(longest.count() / 2, longest.count());
  return LockTarget::Clock::duration(part(random));
}

/// `shortest`, doubled with each pause up to `longest`.
LockTarget::Clock::duration growing(LockTarget::Clock::duration shortest, LockTarget::Clock::duration longest,
                                    int pauses) {
  return std::min(longest, shortest * (1 << std::min(pauses, 10)));
}

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

void Tenure::end(Tenure tenure) noexcept {
  auto& table = LockQueueTable::instance();
  const auto key = tenure.target.key();
  std::shared_ptr<LockRequest> next;
  if (tenure.sidecar) {
    next = table.next(key);
    if (next && next->may_inherit(tenure)) {
      tenure.observed.freed();
      next->take_turn(std::move(tenure));
      return;
    }
    // Before a request of this process may open the file again.
    tenure.sidecar.reset();
    tenure.observed.freed();
  }
  if (!next) next = table.leave(key);
  if (next) next->take_turn(std::nullopt);
}

LockRequest::LockRequest(LockTarget target, Deadline deadline, LockJob job, bool may_wait)
    : target_(std::move(target)),
      key_(target_.key()),
      deadline_(deadline),
      may_wait_(may_wait),
      job_(std::move(job)),
      strand_(asio::make_strand(target_.pool)),
      observed_(target_.options.observer(), target_.sidecar),
      timer_(target_.pool) {}

/// Runs `step` as part of the strand; what it throws ends the request.
template <class Step>
void LockRequest::run_step(Step step) noexcept {
  detail::IoThreadMark mark;
  try {
    step();
  } catch (...) {
    if (stage_ == Stage::done) return;
    // What was given the turn meanwhile goes on from there.
    if (stage_ == Stage::queued && !LockQueueTable::instance().remove(*this)) return;
    abort(std::current_exception());
  }
}

void LockRequest::start() {
  if (LockQueueTable::instance().enter(shared_from_this())) {
    take_turn(std::nullopt);
  } else if (deadline_ || !may_wait_) {
    asio::post(strand_, [self = shared_from_this()] { self->run_step([&] { self->wait_in_queue(); }); });
  }
}

void LockRequest::arrive() noexcept {
  arrival_ = last_news_ = Clock::now();
  observed_.asked(arrival_);
}

void LockRequest::cancel() {
  if (!gate_.cancel()) return;
  asio::post(strand_, [self = shared_from_this()] { self->run_step([&] { self->on_cancelled(); }); });
}

void LockRequest::take_turn(std::optional<Tenure> inherited) {
  // Deferred: the thread that ends one tenure goes on with the next, without waking another.
  asio::defer(strand_, [self = shared_from_this(), inherited = std::move(inherited)]() mutable {
    self->run_step([&] { self->begin(std::move(inherited)); });
  });
}

bool LockRequest::may_inherit(const Tenure& tenure) const {
  const auto& before = tenure.target.options;
  if (before.waiting() != LockWaiting::notify || target_.options.waiting() != LockWaiting::notify)
    return false;
  if (before.primitive() != target_.options.primitive()) return false;
  auto& directory = *target_.directory;
  if (directory.anybody_in_line(target_.sidecar, arrival_)) return false;
  // Freed for a moment, for those in no line; but not past those in it who came later than this request.
  return Clock::now() - tenure.begun < kLongestTenure ||
         directory.anybody_in_line(target_.sidecar, Arrival::max());
}

void LockRequest::wait_in_queue() {
  if (stage_ != Stage::queued) return;
  if (!may_wait_) return on_cancelled();
  sleep();
}

void LockRequest::on_cancelled() {
  if (stage_ == Stage::done) return;
  // What was given the turn meanwhile finds the gate closed when it begins.
  if (stage_ == Stage::queued && !LockQueueTable::instance().remove(*this)) return;
  abort(aborted());
}

void LockRequest::begin(std::optional<Tenure> inherited) {
  stage_ = Stage::trying;
  timer_.cancel();
  if (inherited) return granted(std::move(inherited->sidecar), inherited->begun);
  if (gate_.cancelled()) return abort(aborted());
  step();
}

void LockRequest::step() {
  stage_ = Stage::trying;
  auto locked = attempt();
  if (!locked) return refuse(locked.error());
  if (*locked) return granted(std::move(sidecar_), Clock::now());
  if (!may_wait_ || gate_.cancelled()) return abort(aborted());
  if (deadline_ && *deadline_ <= Clock::now()) return refuse_as_locked("another process holds it");
  stage_ = Stage::waiting;
  sleep();
}

Result<bool> LockRequest::attempt() {
  const bool in_turn = target_.options.waiting() == LockWaiting::notify;
  if (in_turn && !place_) {
    // Nobody overtakes those in line, not even when the lock is free for a moment.
    if (!target_.directory->anybody_in_line(target_.sidecar, Arrival::max())) {
      auto locked = try_lock();
      if (!locked || *locked) return locked;
    }
    enter_line();
  }
  if (place_ && !is_my_place_first() && Clock::now() - last_news_ < kSilence) return false;
  return try_lock();
}

void LockRequest::enter_line() {
  contended_ = true;
  auto place = target_.directory->stand_in_line(target_.sidecar, arrival_);
  if (place) place_ = std::move(*place);
}

bool LockRequest::is_my_place_first() {
  if (first_) return true;
  look_at_line();
  if (!first_ && !line_watch_ && wakeable_) {
    // Asked again after the watch is set, lest what happens in between is missed.
    line_watch_ = watched(place_->watch(wake_up()));
    look_at_line();
  }
  if (first_) line_watch_.reset();
  return first_;
}

void LockRequest::look_at_line() {
  const std::int64_t leader = place_->first_before();
  first_ = leader == 0;
  // Whoever is far behind is not woken by what happens at the head of the line, and sees it so.
  if (std::exchange(leader_, leader) != leader) last_news_ = Clock::now();
}

Result<bool> LockRequest::try_lock() {
  for (int attempt = 1;; ++attempt) {
    boost::system::error_code failure;
    if (!sidecar_) {
      auto opened = target_.directory->open_sidecar(target_.sidecar, target_.options.primitive());
      if (opened) {
        sidecar_ = std::move(*opened);
      } else {
        failure = opened.error();
      }
    }
    if (sidecar_) {
      // First in line, or in none: who lets go of the lock now has to wake us.
      if (!sidecar_watch_ && wakeable_ && contended_ && (first_ || !place_)) {
        sidecar_watch_ = watched(sidecar_->watch(wake_up()));
      }
      auto locked = sidecar_->try_lock();
      if (locked) return true;
      failure = locked.error();
    }
    if (failure.value() == EWOULDBLOCK) return false;
    sidecar_watch_.reset();
    sidecar_.reset();
    // Another file has the name by now: that one, then.
    constexpr int kMostReplacements = 8;
    if (failure.value() == ESTALE && attempt < kMostReplacements) continue;
    auto error = system_error(failure, "cannot lock", *target_.directory, target_.sidecar);
    // The lock makes its file: what is missing is the directory.
    if (error.code() == Errc::not_found) {
      return Error(Errc::unavailable, "the directory is gone").with_path(target_.path()).with_cause(failure);
    }
    return error;
  }
}

std::unique_ptr<Watch> LockRequest::watched(SysResult<std::unique_ptr<Watch>> watch) {
  if (watch) return std::move(*watch);
  wakeable_ = false;
  return nullptr;
}

WatchCallback LockRequest::wake_up() {
  return [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->wake_up_posted_.exchange(true)) return;
    asio::defer(self->strand_, [self] { self->run_step([&] { self->on_woken(); }); });
  };
}

void LockRequest::on_woken() {
  wake_up_posted_ = false;
  if (stage_ != Stage::waiting) return;
  last_news_ = Clock::now();
  pauses_ = 0;
  step();
}

void LockRequest::on_timer() {
  if (stage_ == Stage::queued) {
    if (!LockQueueTable::instance().remove(*this)) return;
    return refuse_as_locked("other operations of this process are before it");
  }
  if (stage_ != Stage::waiting) return;
  ++pauses_;
  step();
}

void LockRequest::sleep() {
  auto until = Arrival::max();
  if (stage_ == Stage::waiting) until = Clock::now() + pause();
  if (deadline_) until = std::min(until, *deadline_);
  timer_.expires_at(until);
  timer_.async_wait(
      asio::bind_executor(strand_, [self = shared_from_this()](boost::system::error_code cancelled) {
        if (!cancelled) self->run_step([&] { self->on_timer(); });
      }));
}

LockTarget::Clock::duration LockRequest::pause() const {
  if (target_.options.waiting() == LockWaiting::poll) {
    return std::max<Clock::duration>(target_.options.poll_interval(), 1ms);
  }
  // Beside a wake-up the timer is for what wakes nobody: an owner that keeps its descriptor; and a death,
  // which inotify reports a moment before the lock is free.
  if (sidecar_watch_) return growing(1ms, 20ms, pauses_);
  // Also for those whom no ring reaches: in another network namespace.
  if (line_watch_) return growing(2ms, 20ms, pauses_);
  return scattered(growing(200us, 10ms, pauses_));
}

void LockRequest::granted(std::unique_ptr<Sidecar> sidecar, Arrival begun) {
  observed_.acquired();
  Tenure tenure(target_, std::move(sidecar), begun, std::move(observed_));
  // The line goes on: who is next prepares to be woken while the lock is held here.
  give_up();
  if (!gate_.cancelled() && job_) {
    std::exchange(job_, nullptr)(gate_);
    Tenure::end(std::move(tenure));
    return finish(LockOutcome());
  }
  if (!gate_.try_commit()) {
    Tenure::end(std::move(tenure));
    LockOutcome outcome;
    outcome.thrown = aborted();
    return finish(std::move(outcome));
  }
  LockOutcome outcome;
  outcome.held.emplace(std::make_unique<HeldLock::State>(std::move(tenure)));
  finish(std::move(outcome));
}

/// Leaves the kernel's side as if this had never been.
void LockRequest::give_up() {
  timer_.cancel();
  sidecar_watch_.reset();
  sidecar_.reset();
  line_watch_.reset();
  place_.reset();
}

void LockRequest::abort(std::exception_ptr thrown) {
  LockOutcome outcome;
  outcome.thrown = std::move(thrown);
  const bool has_turn = stage_ != Stage::queued;
  give_up();
  if (has_turn) pass_turn_on();
  finish(std::move(outcome));
}

void LockRequest::refuse(Error error) {
  LockOutcome outcome;
  outcome.refused = std::move(error);
  give_up();
  pass_turn_on();
  finish(std::move(outcome));
}

void LockRequest::refuse_as_locked(std::string_view what) {
  auto error = Error(Errc::locked, what).with_path(target_.path());
  const bool has_turn = stage_ != Stage::queued;
  // Those behind are not to wait until the holder is found.
  give_up();
  if (has_turn) pass_turn_on();
  const auto owner = target_.directory->lock_holder(target_.sidecar);
  if (owner.pid != 0) error.with_holder(describe(owner));
  error.with_waited(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - arrival_));
  LockOutcome outcome;
  outcome.refused = std::move(error);
  finish(std::move(outcome));
}

/// Without ever having had the lock.
void LockRequest::pass_turn_on() {
  Tenure::end(Tenure(target_, nullptr, arrival_, LockWatch(nullptr, {})));
}

void LockRequest::finish(LockOutcome outcome) {
  stage_ = Stage::done;
  complete(std::move(outcome));
}

}  // namespace sessile::storage
