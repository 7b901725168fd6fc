#include "storage/lock_attempt.hpp"

#include "storage/replace_file.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <random>
#include <utility>

namespace sessile::storage {

namespace {

using namespace std::chrono_literals;

/// When nothing was heard for so long, those who are not first try the lock too; when it was free then and is
/// so long later, the first in line is not waited for: it may be stopped, or may have died and left a child
/// with its descriptors.
constexpr auto kSilence = 100ms;

/// Whether the last wait of this process was ended by a bell. In a network namespace of one's own none is
/// heard, and programs that stand in no line ring none: then closings of the sidecar are listened for from
/// the beginning, which costs a system call or two and a wake-up more.
std::atomic<bool> bells_are_heard{false};

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

}  // namespace

void LockAttempt::begin(Arrival arrival, WakeUp wake) {
  arrival_ = last_news_ = arrival;
  wake_ = std::move(wake);
}

Result<bool> LockAttempt::attempt() {
  if (target_->options.waiting() == LockWaiting::notify && !place_) {
    // Nobody overtakes those in line, not even when the lock is free for a moment.
    if (!target_->directory->anybody_in_line(target_->sidecar(), Arrival::max())) {
      auto locked = try_lock();
      if (!locked || *locked) return locked;
    }
    enter_line();
  }
  if (place_ && !is_first() && Clock::now() - last_news_ < kSilence) return false;
  auto locked = try_lock();
  if (!locked) return locked;
  if (!*locked) {
    idle_leader_ = 0;
    return false;
  }
  if (place_ && !first_ && !may_overtake()) {
    give_back();
    return false;
  }
  if (bell_ && waited_) bells_are_heard = (woken_by_ & Waking::kBell) != 0;
  return true;
}

/// Takes a place, and prepares all that can be before the bell rings. Who lets go of the lock from here on
/// finds this place; who did before is noticed by the try that follows.
void LockAttempt::enter_line() {
  contended_ = true;
  auto place = target_->directory->stand_in_line(target_->sidecar(), arrival_);
  if (!place) return;
  place_ = std::move(*place);
  auto bell = place_->watch([wake = wake_] { wake(Waking::kBell); });
  if (bell) bell_ = std::move(*bell);
  if (open_sidecar()) sidecar_->wait_first();  // else try_lock tells what is wrong
}

bool LockAttempt::is_first() {
  if (first_) return true;
  const std::int64_t leader = place_->first_before();
  first_ = leader == 0;
  if (std::exchange(leader_, leader) != leader) last_news_ = Clock::now();
  return first_;
}

/// Whether who is first does not take the lock though it is free. Not at the first sight of that: it may have
/// been held all the time and freed this moment, and who is first be about to try it.
bool LockAttempt::may_overtake() {
  if (std::exchange(idle_leader_, leader_) == leader_) return true;
  last_news_ = Clock::now();
  return false;
}

void LockAttempt::give_back() noexcept {
  sidecar_watch_.reset();
  sidecar_.reset();
  target_->directory->ring_for_next(target_->sidecar());
}

/// Only the first is to be woken by a closing, and only where no bell can be counted on.
bool LockAttempt::wants_sidecar_watch() const {
  if (!contended_ || watch_refused_ || sidecar_watch_ || (place_ && !first_)) return false;
  return !bell_ || !bells_are_heard || pauses_ > 0;
}

SysResult<void> LockAttempt::open_sidecar() {
  if (sidecar_) return {};
  auto opened = target_->directory->open_sidecar(target_->sidecar(), target_->options.primitive());
  if (!opened) return opened.error();
  sidecar_ = std::move(*opened);
  return {};
}

Result<bool> LockAttempt::try_lock() {
  for (int attempt = 1;; ++attempt) {
    auto done = open_sidecar();
    if (done) {
      if (wants_sidecar_watch()) {
        auto watch = sidecar_->watch([wake = wake_] { wake(Waking::kClosing); });
        if (watch) sidecar_watch_ = std::move(*watch);
        watch_refused_ = !watch;
      }
      done = sidecar_->try_lock();
    }
    if (done) return true;
    if (done.error().value() == EWOULDBLOCK) return false;
    sidecar_watch_.reset();
    sidecar_.reset();
    // Another file has the name by now: that one, then.
    constexpr int kMostReplacements = 8;
    if (done.error().value() == ESTALE && attempt < kMostReplacements) continue;
    auto error = system_error(done.error(), "cannot lock", *target_->directory, target_->sidecar());
    // The lock makes its file: what is missing is the directory.
    if (error.code() == Errc::not_found) {
      return Error(Errc::unavailable, "the directory is gone")
          .with_path(target_->path())
          .with_cause(done.error());
    }
    return error;
  }
}

void LockAttempt::woken(unsigned by) {
  waited_ = true;
  woken_by_ = by;
  last_news_ = Clock::now();
  pauses_ = 0;
}

void LockAttempt::paused() {
  waited_ = true;
  woken_by_ = 0;
  ++pauses_;
}

LockAttempt::Clock::duration LockAttempt::pause() const {
  if (target_->options.waiting() == LockWaiting::poll) {
    // The deadline comes long before an hour has passed, or there is none.
    return std::clamp<std::chrono::milliseconds>(target_->options.poll_interval(), 1ms, 1h);
  }
  // Beside a wake-up the pause is for what wakes nobody: an owner that keeps its descriptor, and one who was
  // to ring and died. A death inotify reports a moment before the lock is free.
  if (sidecar_watch_) return (woken_by_ & Waking::kClosing) != 0 ? 1ms : growing(2ms, 20ms, pauses_);
  if (!bell_) return scattered(growing(200us, 10ms, pauses_));
  if (!bells_are_heard) return growing(2ms, 20ms, pauses_);
  return first_ ? 4ms : growing(10ms, 20ms, pauses_);
}

std::unique_ptr<Sidecar> LockAttempt::take() {
  auto sidecar = std::move(sidecar_);
  leave();
  return sidecar;
}

void LockAttempt::give_up() noexcept {
  const bool in_line = place_ != nullptr;
  leave();
  if (in_line) target_->directory->ring_for_next(target_->sidecar());
}

void LockAttempt::leave() noexcept {
  sidecar_watch_.reset();
  sidecar_.reset();
  bell_.reset();
  place_.reset();
}

}  // namespace sessile::storage
