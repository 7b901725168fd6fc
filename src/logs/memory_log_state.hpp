// A MemoryLog from the inside.
#pragma once

#include "logs/memory_file.hpp"

#include <boost/asio/strand.hpp>

#include <mutex>

namespace sessile {

/// Shared by the handle and its operations. File work runs on one strand of the pool, so that operations take
/// turns without blocking a thread.
class MemoryLog::State : public std::enable_shared_from_this<State> {
 public:
  State(const detail::LogPlace& place_, std::unique_ptr<detail::MemoryFile> file)
      : place(place_), strand(asio::make_strand(place_.pool)), file_(std::move(file)) {}

  /// An operation that was begun. Belongs to the job that does its work, and so ends on the pool.
  class Ticket {
   public:
    explicit Ticket(std::shared_ptr<State> state) : state_(std::move(state)) { state_->enter(); }
    Ticket(Ticket&&) noexcept = default;
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (state_ != nullptr) state_->leave();
    }
    State& operator*() const noexcept { return *state_; }

   private:
    std::shared_ptr<State> state_;
  };

  /// The file. On the strand only. Errors: closed.
  Result<detail::MemoryFile*> file() const {
    if (file_ == nullptr) return Error(Errc::closed, "the memory was closed");
    return file_.get();
  }
  /// On the strand only.
  void close_file() { file_.reset(); }

  /// The handle is gone: the file is closed now, or by the last operation that was begun.
  void abandon() {
    std::unique_ptr<detail::MemoryFile> closed;
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    if (running_ == 0) closed = std::move(file_);
  }

  // Constant after construction.
  const detail::LogPlace place;
  const asio::any_io_executor strand;

 private:
  void enter() {
    const std::lock_guard lock(mutex_);
    ++running_;
  }
  void leave() {
    std::unique_ptr<detail::MemoryFile> closed;
    const std::lock_guard lock(mutex_);
    if (--running_ == 0 && abandoned_) closed = std::move(file_);
  }

  std::mutex mutex_;
  // Protected by mutex_.
  std::size_t running_ = 0;
  bool abandoned_ = false;
  // Belongs to the strand, and to nobody once no operation is running.
  std::unique_ptr<detail::MemoryFile> file_;
};

}  // namespace sessile
