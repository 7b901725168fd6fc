// Moving whole stores: every session from one to another, and the proof that it arrived.
#pragma once

#include <sessile/functions.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sessile {

/// SHA-256, as hex, of all that a session holds: its JSON document without the revision, which every store
/// counts for itself. Two sessions of one hash hold the same, to the last digit and the order of the keys.
/// Precondition: measure(session) succeeded.
std::string content_hash(const Session& session);

class CopyOptions {
 public:
  CopyOptions() {}
  /// Writes nothing: only compares. What the target lacks is not_found, what differs is conflict.
  CopyOptions& verify_only() noexcept { return verify_only_ = true, *this; }
  /// So many sessions are on their way at once: 1 to 64, else invalid_argument. Large ones go alone.
  CopyOptions& concurrency(std::size_t value) noexcept { return concurrency_ = value, *this; }
  /// Bounds each single operation on either store, not the whole; 0: unbounded.
  CopyOptions& timeout(std::chrono::milliseconds value) noexcept { return timeout_ = value, *this; }
  /// Called after each session, on a strand of the caller's executor. `total` never changes in one call.
  CopyOptions& progress(std::function<void(std::uint64_t done, std::uint64_t total)> value) {
    return progress_ = std::move(value), *this;
  }

  bool is_verify_only() const noexcept { return verify_only_; }
  std::size_t concurrency() const noexcept { return concurrency_; }
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }
  const std::function<void(std::uint64_t, std::uint64_t)>& progress() const noexcept { return progress_; }

 private:
  bool verify_only_ = false;
  std::size_t concurrency_ = 8;
  std::chrono::milliseconds timeout_{0};
  std::function<void(std::uint64_t, std::uint64_t)> progress_;
};

/// What copy did.
class CopyReport {
 public:
  CopyReport() noexcept {}
  std::uint64_t copied = 0;     ///< were not there
  std::uint64_t recopied = 0;   ///< were there, as they had been before the source's last update
  std::uint64_t unchanged = 0;  ///< were there already, the same
  std::uint64_t sessions = 0;   ///< that the source lists in the end
  std::uint64_t verified = 0;   ///< of these, were read back the same and are in the target's listing
  std::uint64_t extra = 0;      ///< are in the target's listing only
  /// Could not be read, could not be written, or differ; each has key() or path(). The others were copied.
  std::vector<Error> failed;
};

/// Copies every session from one store to another, then compares what both list. created_at and updated_at
/// are kept, revisions are not, nor are the idempotency keys of former appends: let writers finish first.
///
/// Each session is written in one step and compared, by content_hash, with what the target then reads. One
/// that is there already and the same is left. One that differs is written again, if the source's was updated
/// later, and no later writer of the target is overwritten; otherwise it is a conflict in CopyReport::failed,
/// and left. So a copy that was killed is continued by a second one, which also takes over what changed
/// meanwhile. Sessions that are only in the target stay.
///
/// Fails as a whole, having copied a part, when the source cannot be listed, or when the target is
/// unavailable, read-only or closed; on cancellation; invalid_argument: see CopyOptions.
Async<CopyReport> copy(StorePtr from, StorePtr to, CopyOptions options = CopyOptions());

}  // namespace sessile
