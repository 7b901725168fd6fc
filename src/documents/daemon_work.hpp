// How a daemon's document is read, healed and changed, and the rules of its first_turn_pending.
#pragma once

#include "documents/core.hpp"
#include "storage/io_pool.hpp"

#include <sessile/daemon_state.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sessile::detail {

inline constexpr const char* kFirstTurnPending = "first_turn_pending";

/// Null when there is none.
json::object* pending_entries(json::object& document) noexcept;

/// False when first_turn_pending is there and nothing that entries could be in.
bool has_sound_entries(const json::object& document) noexcept;

/// Drops the entries at least `ttl` old, or with an unreadable time; returns their ids.
std::vector<std::string> drop_stale(json::object& document, TimePoint now, std::chrono::microseconds ttl);

/// Drops all but the newest `kept`; returns how many.
std::size_t drop_oldest(json::object& document, std::size_t kept);

/// The state as a reader without a lock sees it: empty where it is missing. Null: it needs healing. Blocks.
Result<std::optional<DaemonFields>> read_sound_state(storage::Directory& directory, const std::string& name,
                                                     const Limits& limits);

/// A change of the state under the lock, in the shape of write_body.
class ChangeDaemonState {
 public:
  using Change = std::function<Result<void>(DaemonFields&)>;

  /// What became of it.
  class Outcome {
   public:
    Outcome() {}
    DaemonFields fields;
    std::string quarantined;         // where a malformed state was put
    std::optional<Error> not_saved;  // see consumes
  };

  ChangeDaemonState(std::string name, Change change) : name_(std::move(name)), change_(std::move(change)) {}

  /// When the state cannot be written, the loss of this entry of first_turn_pending is remembered in this
  /// process, and the failure is told in Outcome::not_saved instead of failing the change.
  ChangeDaemonState& consumes(std::string id) { return consumed_ = std::move(id), *this; }

  Result<void> prepare(const DocumentCore& core);
  bool creates() const noexcept { return true; }
  Result<Outcome> without_category() { return Error(Errc::unavailable, "the category is gone"); }
  Result<Outcome> commit(storage::Directory& directory, storage::CommitGate& gate);

 private:
  /// Reads the state and puts aside what is malformed.
  Result<DaemonFields> read_or_heal(storage::Directory& directory, storage::CommitGate& gate);
  /// Puts the file's bytes aside under a new name. `copy`: and leaves the file.
  enum class Aside { move, copy };
  Result<void> quarantine(storage::Directory& directory, std::string_view text, Aside aside,
                          storage::CommitGate& gate);

  std::string name_;
  Change change_;
  std::optional<std::string> consumed_;
  Limits limits_;  // set by prepare, as is the next
  Durability durability_ = Durability::power;
  std::string quarantined_;         // set by read_or_heal, as is the next
  bool file_is_malformed_ = false;  // still: it must be written even when nothing changes
};

}  // namespace sessile::detail
