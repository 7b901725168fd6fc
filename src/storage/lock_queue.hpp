// The queue in which this process's coroutines wait for one sidecar.
#pragma once

#include "storage/lock_target.hpp"

#include <list>
#include <map>
#include <memory>
#include <mutex>

namespace sessile::storage {

class LockRequest;

/// The queues of all sidecars that are in use, first come, first served. One request of a sidecar has the
/// turn: the right to deal with the kernel. An entry lives as long as somebody has it. Thread-safe.
class LockQueueTable {
 public:
  using Queue = std::list<std::shared_ptr<LockRequest>>;

  /// Never destroyed: turns may end while the program does.
  static LockQueueTable& instance();

  /// True: nobody had the turn, it is `request`'s now. False: it is queued.
  bool enter(const std::shared_ptr<LockRequest>& request);
  /// Takes `request` out of its queue. False: it isn't in it any more, and its turn has come.
  bool remove(LockRequest& request);
  /// Passes the turn on to the first in the queue; null when it is empty: the caller keeps the turn.
  std::shared_ptr<LockRequest> next(const SidecarKey& key) noexcept;
  /// The same, but when the queue is empty nobody has the turn any more.
  std::shared_ptr<LockRequest> leave(const SidecarKey& key) noexcept;
  /// How many sidecars are in use.
  std::size_t size();

 private:
  std::mutex mutex_;
  std::map<SidecarKey, Queue> queues_;  // guarded by mutex_; without the owner of the turn
};

}  // namespace sessile::storage
