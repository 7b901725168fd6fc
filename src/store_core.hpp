// What every SessionStore has behind its interface: options, and the count of running operations.
#pragma once

#include "storage/waiters.hpp"

#include <sessile/store.hpp>

#include <mutex>

namespace sessile::detail {

/// Shared by a store and its running operations. Thread-safe.
class StoreCore {
 public:
  StoreCore(OpenOptions options_, Capabilities capabilities_);

  // Constant after construction.
  const OpenOptions options;
  const Capabilities capabilities;
  const asio::any_io_executor executor;

  /// One running operation. Movable; ends with its life.
  class Ticket {
   public:
    explicit Ticket(StoreCore* core) noexcept : core_(core) {}
    Ticket(Ticket&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (core_ != nullptr) core_->leave();
    }

   private:
    StoreCore* core_;
  };

  /// Errors: closed.
  Result<Ticket> enter();

  /// No operation enters any more. True for the first caller.
  bool begin_close();
  /// Called by the first closer when all is done; wakes the other closers.
  void finish_close();

  /// Returns when the operations that entered have left.
  asio::awaitable<void> drained();
  /// Returns when finish_close was called.
  asio::awaitable<void> closed();

 private:
  using Waiters = storage::Waiters;
  void leave();
  asio::awaitable<void> wait(Waiters StoreCore::*list, bool (StoreCore::*ready)() const);
  bool is_drained() const { return running_ == 0; }
  bool is_closed() const { return state_ == State::closed; }

  enum class State { open, closing, closed };
  std::mutex mutex_;
  // Protected by mutex_.
  State state_ = State::open;
  std::size_t running_ = 0;
  Waiters drain_waiters_;
  Waiters close_waiters_;
};

}  // namespace sessile::detail
