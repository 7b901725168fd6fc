#include "storage/doorbell.hpp"

#include "storage/descriptor.hpp"
#include "storage/io_pool.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <utility>

namespace sessile::storage {

namespace {

constexpr int kMostRings = 16;  // that are answered at once

/// An address of the abstract namespace: a NUL, and a name that no file has.
class Address {
 public:
  explicit Address(const std::string& name) noexcept {
    address_.sun_family = AF_UNIX;
    const std::size_t length = std::min(name.size(), sizeof address_.sun_path - 1);
    std::memcpy(address_.sun_path + 1, name.data(), length);
    size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const noexcept { return size_; }

 private:
  sockaddr_un address_{};
  socklen_t size_ = 0;
};

SysResult<Descriptor> make_socket() {
  Descriptor made(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) return last_error();
  return made;
}

/// The socket, for as long as a wait for it is under way.
class Bell : public std::enable_shared_from_this<Bell> {
 public:
  explicit Bell(WatchCallback rung) : socket_(io_executor()), rung_(std::move(rung)) {}

  SysResult<void> listen(Descriptor socket) {
    const std::lock_guard lock(mutex_);
    boost::system::error_code refused;
    socket_.assign(socket.get(), refused);
    if (refused) return refused;
    socket.release();
    arm();
    return {};
  }
  void take_down() noexcept {
    const std::lock_guard lock(mutex_);
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 private:
  void arm() {
    socket_.async_wait(asio::posix::descriptor_base::wait_read,
                       [self = shared_from_this()](boost::system::error_code ended) {
                         if (!ended) self->on_rung();
                       });
  }
  void on_rung() {
    {
      const std::lock_guard lock(mutex_);
      if (!socket_.is_open()) return;
      std::array<char, 16> ignored{};
      // Anybody can ring: who never stops is not to keep this busy. What is left rings again.
      int rings = 0;
      while (rings < kMostRings &&
             ::recv(socket_.native_handle(), ignored.data(), ignored.size(), MSG_DONTWAIT) >= 0) {
        ++rings;
      }
      until_there_is_memory([this] { arm(); });
    }
    rung_();
  }

  std::mutex mutex_;
  asio::posix::stream_descriptor socket_;  // guarded by mutex_
  const WatchCallback rung_;
};

class HungBell final : public Watch {
 public:
  explicit HungBell(std::shared_ptr<Bell> bell) noexcept : bell_(std::move(bell)) {}
  ~HungBell() override { bell_->take_down(); }
  HungBell(const HungBell&) = delete;
  HungBell& operator=(const HungBell&) = delete;

 private:
  const std::shared_ptr<Bell> bell_;
};

}  // namespace

SysResult<std::unique_ptr<Watch>> hang_doorbell(const std::string& name, WatchCallback rung) {
  auto socket = make_socket();
  if (!socket) return socket.error();
  const Address address(name);
  if (::bind(socket->get(), address.get(), address.size()) != 0) return last_error();
  // Who takes it down is there before it listens.
  auto bell = std::make_shared<Bell>(std::move(rung));
  auto hung = std::make_unique<HungBell>(bell);
  if (auto listening = bell->listen(std::move(*socket)); !listening) return listening.error();
  return std::unique_ptr<Watch>(std::move(hung));
}

void ring_doorbell(const std::string& name) noexcept {
  const auto socket = make_socket();
  if (!socket) return;
  const Address address(name);
  const char ring = 0;
  // Nobody there, or one who has rings enough to read: both are fine.
  (void)::sendto(socket->get(), &ring, sizeof ring, MSG_DONTWAIT | MSG_NOSIGNAL, address.get(),
                 address.size());
}

}  // namespace sessile::storage
