#include "storage/lock_queue.hpp"

#include <utility>

namespace sessile::storage {

LockTurn::State::~State() {
  if (owned) LockQueueTable::instance().leave(key);
}

LockQueueTable& LockQueueTable::instance() {
  static auto& table = *new LockQueueTable;
  return table;
}

std::shared_ptr<LockTurn::State> LockQueueTable::try_enter(const SidecarKey& key) {
  auto turn = std::make_shared<LockTurn::State>(key);
  const std::lock_guard lock(mutex_);
  turn->owned = queues_.try_emplace(key).second;
  return turn->owned ? turn : nullptr;
}

void LockQueueTable::wait(std::shared_ptr<Waiter> waiter, Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    const auto [found, free] = queues_.try_emplace(waiter->turn->key);
    if (!free) {
      auto& queue = found->second;
      waiter->place = queue.insert(queue.end(), waiter);
      waiter->queued = true;
      if (deadline) {
        waiter->timer.expires_at(*deadline);
        waiter->timer.async_wait([this, waiter](boost::system::error_code error) {
          if (!error) give_up(waiter, WaitEnd::deadline);
        });
      }
      return;
    }
    waiter->turn->owned = true;
  }
  waiter->complete(WaitOutcome(WaitEnd::granted, std::move(waiter->turn)));
}

void LockQueueTable::give_up(const std::shared_ptr<Waiter>& waiter, WaitEnd end) {
  {
    const std::lock_guard lock(mutex_);
    if (!waiter->queued) return;
    waiter->queued = false;
    // The owner of the turn keeps the entry alive while anybody is queued.
    queues_.find(waiter->turn->key)->second.erase(waiter->place);
    waiter->timer.cancel();
  }
  waiter->complete(WaitOutcome(end, nullptr));
}

void LockQueueTable::leave(const SidecarKey& key) noexcept {
  std::shared_ptr<Waiter> next;
  {
    const std::lock_guard lock(mutex_);
    const auto found = queues_.find(key);
    auto& queue = found->second;
    if (queue.empty()) {
      queues_.erase(found);
      return;
    }
    next = std::move(queue.front());
    queue.pop_front();
    next->queued = false;
    next->turn->owned = true;
    next->timer.cancel();
  }
  next->complete(WaitOutcome(WaitEnd::granted, std::move(next->turn)));
}

std::size_t LockQueueTable::size() {
  const std::lock_guard lock(mutex_);
  return queues_.size();
}

}  // namespace sessile::storage
