#include "storage/close_watcher.hpp"

#include "storage/descriptor.hpp"
#include "storage/io_pool.hpp"

#include <sys/inotify.h>

#include <array>
#include <cstring>
#include <utility>

namespace sessile::storage {

class CloseWatcher::Registered final : public Watch {
 public:
  Registered(CloseWatcher& watcher, int watch, std::uint64_t id) noexcept
      : watcher_(watcher), watch_(watch), id_(id) {}
  ~Registered() override { watcher_.remove(watch_, id_); }

 private:
  CloseWatcher& watcher_;
  const int watch_;
  const std::uint64_t id_;
};

CloseWatcher& CloseWatcher::instance() {
  static auto& watcher = *new CloseWatcher;
  return watcher;
}

CloseWatcher::CloseWatcher() {
  // The pool ends when nothing is outstanding, which the wait for the descriptor always is.
  before_io_pool_ends([this] { end(); });
}

SysResult<void> CloseWatcher::open() {
  if (inotify_) return {};
  Descriptor made(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!made) return last_error();
  asio::posix::stream_descriptor inotify(io_executor());
  boost::system::error_code refused;
  inotify.assign(made.get(), refused);
  if (refused) return refused;
  made.release();
  inotify_.emplace(std::move(inotify));
  return {};
}

SysResult<std::unique_ptr<Watch>> CloseWatcher::watch(int file, WatchCallback closed) {
  // By way of the descriptor: this very file, whatever its name stands for by now.
  const auto path = "/proc/self/fd/" + std::to_string(file);
  auto callback = std::make_shared<const WatchCallback>(std::move(closed));
  const std::lock_guard lock(mutex_);
  if (auto opened = open(); !opened) return opened.error();
  const int watch = ::inotify_add_watch(inotify_->native_handle(), path.c_str(), IN_CLOSE | IN_MASK_ADD);
  if (watch < 0) return last_error();
  const std::uint64_t id = next_id_++;
  // Nothing is left when there is no memory for all of it.
  try {
    watches_[watch].emplace(id, std::move(callback));
    arm();
    return std::make_unique<Registered>(*this, watch, id);
  } catch (...) {
    drop(watch, id);
    throw;
  }
}

void CloseWatcher::arm() {
  if (armed_ || (ending_ && watches_.empty())) return;
  inotify_->async_wait(asio::posix::descriptor_base::wait_read,
                       [this](boost::system::error_code) { on_readable(); });
  armed_ = true;
}

void CloseWatcher::collect(int watch, std::vector<std::shared_ptr<const WatchCallback>>& woken) {
  const auto found = watches_.find(watch);
  if (found == watches_.end()) return;
  for (const auto& [id, callback] : found->second)
    woken.push_back(callback);
}

void CloseWatcher::on_readable() {
  std::vector<std::shared_ptr<const WatchCallback>> woken;
  {
    const std::lock_guard lock(mutex_);
    armed_ = false;
    alignas(inotify_event) std::array<char, 4096> events{};
    for (;;) {
      const auto size = ::read(inotify_->native_handle(), events.data(), events.size());
      if (size <= 0) break;
      int last = 0;
      for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
        inotify_event event{};
        std::memcpy(&event, events.data() + at, sizeof event);
        at += sizeof event + event.len;
        if ((event.mask & IN_Q_OVERFLOW) != 0) {
          for (const auto& [watch, callbacks] : watches_)
            collect(watch, woken);
        } else if ((event.mask & IN_CLOSE) != 0 && event.wd != std::exchange(last, event.wd)) {
          collect(event.wd, woken);
        }
      }
    }
    until_there_is_memory([this] { arm(); });
  }
  for (const auto& callback : woken)
    (*callback)();
}

void CloseWatcher::remove(int watch, std::uint64_t id) noexcept {
  const std::lock_guard lock(mutex_);
  drop(watch, id);
}

void CloseWatcher::drop(int watch, std::uint64_t id) noexcept {
  const auto found = watches_.find(watch);
  if (found != watches_.end()) {
    found->second.erase(id);
    if (!found->second.empty()) return;
    watches_.erase(found);
  }
  ::inotify_rm_watch(inotify_->native_handle(), watch);
  if (ending_ && watches_.empty()) inotify_->cancel();
}

void CloseWatcher::end() noexcept {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  if (inotify_ && watches_.empty()) inotify_->cancel();
}

}  // namespace sessile::storage
