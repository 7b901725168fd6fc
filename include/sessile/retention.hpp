// How long sessions are kept: a policy, its application, and applying it in the background.
#pragma once

#include <sessile/functions.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace sessile {

/// Which sessions stay. Ages are measured by the store's clock (OpenOptions::clock) from updated_at.
class RetentionPolicy {
 public:
  RetentionPolicy() noexcept {}
  /// A session as old as this, or older, goes; 0: none goes for its age.
  RetentionPolicy& ttl(std::chrono::microseconds value) noexcept { return ttl_ = value, *this; }
  /// Of those left, only the newest so many stay; 0: any number does. Pinned sessions that are kept do not
  /// count.
  RetentionPolicy& max_sessions(std::uint64_t value) noexcept { return max_sessions_ = value, *this; }
  /// A session younger than this stays, whatever max_sessions says; it counts.
  RetentionPolicy& minimum_age(std::chrono::microseconds value) noexcept {
    return minimum_age_ = value, *this;
  }

  enum class Pinned { keep, treat_as_others };
  /// What becomes of pinned sessions (see is_pinned).
  RetentionPolicy& pinned(Pinned value) noexcept { return pinned_ = value, *this; }

  std::chrono::microseconds ttl() const noexcept { return ttl_; }
  std::uint64_t max_sessions() const noexcept { return max_sessions_; }
  std::chrono::microseconds minimum_age() const noexcept { return minimum_age_; }
  Pinned pinned() const noexcept { return pinned_; }

 private:
  std::chrono::microseconds ttl_ = std::chrono::hours(168);
  std::uint64_t max_sessions_ = 100;
  std::chrono::microseconds minimum_age_{0};
  Pinned pinned_ = Pinned::keep;
};

/// Why a session goes.
enum class PruneReason {
  expired,     ///< RetentionPolicy::ttl
  over_count,  ///< RetentionPolicy::max_sessions
};

/// The reason's stable name, as the command prints it: "expired", "over_count".
std::string_view name(PruneReason reason) noexcept;

/// A session that goes.
class PruneItem {
 public:
  PruneItem() noexcept {}
  SessionId id;
  Timestamp updated_at;
  Revision revision = 0;
  std::uint64_t stored_bytes = 0;
  PruneReason reason = PruneReason::expired;

  friend bool operator==(const PruneItem&, const PruneItem&) = default;
};

class PruneOptions : public detail::CommonOptions<PruneOptions> {
 public:
  PruneOptions() noexcept {}
  /// Removes nothing: PruneReport::would_remove says what would go and why.
  PruneOptions& dry_run() noexcept { return dry_run_ = true, *this; }
  bool is_dry_run() const noexcept { return dry_run_; }

  /// Called after each session that was to go, with how many are done and how many there are, on the executor
  /// of the prune. Must not throw.
  using Progress = std::function<void(std::uint64_t done, std::uint64_t all)>;
  PruneOptions& progress(Progress value) { return progress_ = std::move(value), *this; }
  const Progress& progress() const noexcept { return progress_; }

 private:
  bool dry_run_ = false;
  Progress progress_;
};

/// What a prune did. Every session that was listed is in exactly one of removed, would_remove, failed and
/// kept, but those that somebody else removed meanwhile: they are in none.
class PruneReport {
 public:
  PruneReport() noexcept {}
  std::vector<PruneItem> removed;       ///< the oldest first
  std::vector<PruneItem> would_remove;  ///< dry run: what a prune at the same moment removes, in its order
  std::uint64_t kept = 0;               ///< those in kept_as_written included
  /// Were to go, and stayed: somebody wrote them after they were listed.
  std::vector<SessionId> kept_as_written;
  std::vector<Error> failed;      ///< could not be removed, each with key(); the others were
  std::vector<Error> unreadable;  ///< are there and cannot be read: their age is not known, they stay
  /// Why the prune ended before it was through (cancelled, timed_out, closed): the rest stays, and counts as
  /// kept.
  std::optional<Error> stopped;
};

/// Removes the sessions that `policy` lets go: first those too old, then, of those left, all but the newest.
///
/// Each is removed by the revision it was listed with: one that is written meanwhile stays, on every backend.
/// One whose updated_at is not known stays. `options.timeout()` bounds the whole prune.
///
/// Errors: as SessionStore::list, when the sessions could not be listed: nothing was removed then. What comes
/// later is in the report. Cancellation: between two removals, see PruneReport::stopped. Executor, lifetimes
/// and thread safety: as the functions in functions.hpp.
Async<PruneReport> prune(StorePtr store, RetentionPolicy policy = RetentionPolicy(),
                         PruneOptions options = PruneOptions());

/// Lets one caller through in each period. Thread-safe.
class Throttle {
 public:
  /// A monotonic clock; called from any thread.
  using MonotonicClock = std::function<std::chrono::steady_clock::time_point()>;

  /// A cooldown of 0 or less lets everybody through.
  explicit Throttle(std::chrono::nanoseconds cooldown,
                    MonotonicClock clock = &std::chrono::steady_clock::now);

  /// True for the first caller, and for the first one after each cooldown that began with a `true`.
  bool try_pass() noexcept;

 private:
  const std::int64_t cooldown_;
  const MonotonicClock clock_;
  std::atomic<std::int64_t> next_;  // when the next one may pass, in nanoseconds of the clock
};

/// How a BackgroundPruner prunes.
class BackgroundPruneOptions {
 public:
  BackgroundPruneOptions() {}
  BackgroundPruneOptions& policy(RetentionPolicy value) noexcept { return policy_ = value, *this; }
  /// At most one prune in this time, by a monotonic clock.
  BackgroundPruneOptions& cooldown(std::chrono::nanoseconds value) noexcept {
    return cooldown_ = value, *this;
  }
  BackgroundPruneOptions& clock(Throttle::MonotonicClock value) { return clock_ = std::move(value), *this; }

  /// Called with the outcome of each prune, on the store's executor, one at a time. What it throws is
  /// dropped.
  using OnReport = std::function<void(const Result<PruneReport>&)>;
  BackgroundPruneOptions& on_report(OnReport value) { return on_report_ = std::move(value), *this; }

  const RetentionPolicy& policy() const noexcept { return policy_; }
  std::chrono::nanoseconds cooldown() const noexcept { return cooldown_; }
  const Throttle::MonotonicClock& clock() const noexcept { return clock_; }
  const OnReport& on_report() const noexcept { return on_report_; }

 private:
  RetentionPolicy policy_;
  std::chrono::nanoseconds cooldown_ = std::chrono::minutes(1);
  Throttle::MonotonicClock clock_ = &std::chrono::steady_clock::now;
  OnReport on_report_;
};

/// Prunes a store after saves, in the background, never delaying them.
///
/// A prune runs on store->get_executor(). One that fails is reported, never thrown. The pruner does not keep
/// the store alive; a prune that runs does. Destroying the pruner blocks for nothing: a prune that runs goes
/// on. For a clean shutdown: `co_await pruner.close(); co_await store->close();`. Thread-safe.
class BackgroundPruner {
 public:
  explicit BackgroundPruner(const StorePtr& store, BackgroundPruneOptions options = BackgroundPruneOptions());
  BackgroundPruner(const BackgroundPruner&) = delete;
  BackgroundPruner& operator=(const BackgroundPruner&) = delete;
  ~BackgroundPruner();

  /// Saves, and when that succeeded calls notify. Errors: the save's; closed when the store is gone.
  Async<Written> save(Session session, SaveOptions options = SaveOptions());

  /// Starts a prune and returns at once. False when none was started: one is running, the cooldown has not
  /// passed, the pruner is closed or the store is gone.
  bool notify();

  /// The outcome of the last prune that ended; empty before the first.
  std::optional<Result<PruneReport>> last_report() const;

  /// Returns when no prune is running. Errors: cancelled: one may still be running.
  Async<void> drain();

  /// Starts no prune from now on, cancels the one that runs (it stops after the session it is at), and
  /// returns when it has ended. Errors: as drain. Closing twice is harmless.
  Async<void> close();

 private:
  class State;
  const std::shared_ptr<State> state_;
};

}  // namespace sessile
