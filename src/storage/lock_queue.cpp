#include "storage/lock_queue.hpp"

#include "storage/lock_request.hpp"

namespace sessile::storage {

namespace {

std::shared_ptr<LockRequest> take_first(LockQueueTable::Queue& queue) noexcept {
  if (queue.empty()) return nullptr;
  auto first = std::move(queue.front());
  queue.pop_front();
  first->queued.reset();
  return first;
}

}  // namespace

LockQueueTable& LockQueueTable::instance() {
  static auto& table = *new LockQueueTable;
  return table;
}

bool LockQueueTable::enter(const std::shared_ptr<LockRequest>& request) {
  const std::lock_guard lock(mutex_);
  const auto [found, free] = queues_.try_emplace(request->key());
  request->arrive();
  if (!free) request->queued = found->second.insert(found->second.end(), request);
  return free;
}

bool LockQueueTable::remove(LockRequest& request) {
  const std::lock_guard lock(mutex_);
  if (!request.queued) return false;
  // The owner of the turn keeps the entry alive while anybody is queued.
  queues_.find(request.key())->second.erase(*request.queued);
  request.queued.reset();
  return true;
}

std::shared_ptr<LockRequest> LockQueueTable::next(const SidecarKey& key) noexcept {
  const std::lock_guard lock(mutex_);
  return take_first(queues_.find(key)->second);
}

std::shared_ptr<LockRequest> LockQueueTable::leave(const SidecarKey& key) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = queues_.find(key);
  auto first = take_first(found->second);
  if (!first) queues_.erase(found);
  return first;
}

std::size_t LockQueueTable::size() {
  const std::lock_guard lock(mutex_);
  return queues_.size();
}

}  // namespace sessile::storage
