// The state that a daemon keeps of itself, as one JSON document.
#pragma once

#include <sessile/documents.hpp>
#include <sessile/ids.hpp>
#include <sessile/time.hpp>

#include <boost/json/object.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sessile {

enum class FsmState { wake, transitioning, sleep, dreaming };

/// As the document writes it: "WAKE", "TRANSITIONING", "SLEEP", "DREAMING".
std::string_view name(FsmState state) noexcept;
/// Empty when `text` is none of these.
std::optional<FsmState> fsm_state_of(std::string_view text) noexcept;

/// The fields of a daemon's document. A value; fields not named here pass through unchanged, in their order.
///
/// Getters are empty when the field is missing or not what it should be. Times are written as RFC 3339 in
/// UTC; read is what parse_time reads (a time without an offset is UTC), or seconds since 1970.
class DaemonFields {
 public:
  DaemonFields() noexcept {}
  explicit DaemonFields(json::object document) : document_(std::move(document)) {}

  std::optional<FsmState> fsm_state() const;
  std::optional<TimePoint> daemon_started_at() const;
  std::optional<TimePoint> last_digest_shown_at() const;
  std::optional<TimePoint> last_learned_at() const;
  std::optional<TimePoint> last_session_ts() const;
  /// Whatever was stored; null and "" are no digest.
  std::optional<json::value> pending_digest() const;
  /// When each session was opened whose first turn is still to come; those with an unreadable time left out.
  std::map<std::string, TimePoint> first_turn_pending() const;

  DaemonFields& fsm_state(FsmState value);
  DaemonFields& daemon_started_at(TimePoint value);
  DaemonFields& last_digest_shown_at(TimePoint value);
  DaemonFields& last_learned_at(TimePoint value);
  DaemonFields& last_session_ts(TimePoint value);
  DaemonFields& pending_digest(json::value value);

  const json::object& document() const noexcept { return document_; }
  json::object& document() noexcept { return document_; }

 private:
  json::object document_;
};

/// What prune_first_turn_pending returns.
class FirstTurnPrune {
 public:
  FirstTurnPrune() {}
  DaemonFields state;
  std::vector<std::string> dropped;  ///< ids, in the order of the document
};

/// `state` without the entries of first_turn_pending that are at least `ttl` old, or whose time cannot be
/// read. Pure.
FirstTurnPrune prune_first_turn_pending(DaemonFields state, TimePoint now,
                                        std::chrono::microseconds ttl = std::chrono::hours(1));

class DaemonStateOptions {
 public:
  DaemonStateOptions() {}
  DaemonStateOptions& clock(std::shared_ptr<const Clock> value) { return clock_ = std::move(value), *this; }
  /// An entry of first_turn_pending as old as this, or older, is stale.
  DaemonStateOptions& stale_after(std::chrono::microseconds value) noexcept {
    return stale_after_ = value, *this;
  }
  /// So many of the newest entries of first_turn_pending stay; at least 1.
  DaemonStateOptions& max_pending(std::size_t value) noexcept { return max_pending_ = value, *this; }
  /// From one digest shown to the next.
  DaemonStateOptions& digest_interval(std::chrono::microseconds value) noexcept {
    return digest_interval_ = value, *this;
  }

  const std::shared_ptr<const Clock>& clock() const noexcept { return clock_; }
  std::chrono::microseconds stale_after() const noexcept { return stale_after_; }
  std::size_t max_pending() const noexcept { return max_pending_; }
  std::chrono::microseconds digest_interval() const noexcept { return digest_interval_; }

 private:
  std::shared_ptr<const Clock> clock_ = system_clock();
  std::chrono::microseconds stale_after_ = std::chrono::hours(24);
  std::size_t max_pending_ = 100;
  std::chrono::microseconds digest_interval_ = std::chrono::hours(18);
};

/// What load found.
class DaemonSnapshot {
 public:
  DaemonSnapshot() {}
  DaemonFields fields;
  /// Where the bytes of a malformed state were put; empty when it was sound.
  std::string quarantined;
};

/// Whether this is a session's first turn.
class FirstTurn {
 public:
  FirstTurn() {}
  bool first = false;
  /// The turn was taken, but that could not be stored: in this process it is taken for good, in another, or
  /// after a restart, it may be given once more.
  std::optional<Error> not_saved;
};

/// A daemon's state: one JSON document of a DocumentStore.
///
/// A missing document reads as empty. A malformed one (not JSON, not an object, over the limits) does too,
/// after its bytes were put beside it as `NAME.json.quarantine-TIME-NONCE`, so that the daemon heals itself
/// and nothing is lost; where just first_turn_pending is no object, a copy of the file is put there, and the
/// other fields stay. A file that cannot be read at all (no permission, a directory) is an error.
///
/// Every change is one step under the lock of the document's category, across processes; old and new state
/// are files of their own, so that a crash or a full disk leaves the old one. Errors beside those named: as
/// DocumentAccess::update_json, but corrupt. Executor, cancellation and thread safety: as DocumentAccess.
/// Copies stand for the same state.
class DaemonState {
 public:
  DaemonState(DocumentStore documents, std::string category, std::string name,
              DaemonStateOptions options = DaemonStateOptions());

  /// The state. Takes no lock unless there is something to heal.
  Async<DaemonSnapshot> load() const;

  /// Calls `change(DaemonFields&)`, which returns nothing, or a Result<void> whose error aborts the update;
  /// saves what changed. Returns the state as stored. `change` runs once, on a thread of the store, under the
  /// lock: it must not wait for the store. With g++ 12, make a lambda that captures before the co_await: see
  /// DocumentEdit::change.
  template <class F>
  Async<DaemonFields> update(F change) const {
    if constexpr (std::is_void_v<std::invoke_result_t<F&, DaemonFields&>>) {
      return update_with([f = std::move(change)](DaemonFields& fields) mutable {
        f(fields);
        return success();
      });
    } else {
      return update_with(Change(std::move(change)));
    }
  }

  /// Notes that the session was opened now, so that its next turn is its first; drops stale entries (see
  /// prune_stale). An empty id is ignored.
  Async<void> mark_session_opened(SessionId id) const;

  /// True exactly once after mark_session_opened, whoever asks, in whatever process. When that cannot be
  /// stored, still true, with FirstTurn::not_saved. An error (locked, cancelled …) means that nothing was
  /// taken: ask again.
  Async<FirstTurn> consume_first_turn(SessionId id) const;

  /// Drops the entries of first_turn_pending that are stale or whose time cannot be read, then all but the
  /// newest; returns how many went. Nothing to drop: nothing is written.
  Async<std::size_t> prune_stale() const;

  /// The pending digest, if there is one and none was shown within the interval: erased from the state, and
  /// the time noted, before it is returned. A last time that cannot be read counts as never. The interval is
  /// measured in either direction: a last time that lies further ahead is a clock's error. When it cannot be
  /// stored, that is an error, and the digest stays; when that is not known (indeterminate, as of a write),
  /// it is returned, and may come once more after a loss of power.
  Async<std::optional<json::value>> get_pending_digest(TimePoint now) const;
  Async<std::optional<json::value>> get_pending_digest() const;

 private:
  using Change = std::function<Result<void>(DaemonFields&)>;
  Async<DaemonFields> update_with(Change change) const;

  std::shared_ptr<detail::DocumentCore> core_;
  std::string category_;
  std::string name_;
  DaemonStateOptions options_;
};

}  // namespace sessile
