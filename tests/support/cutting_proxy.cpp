#include "support/cutting_proxy.hpp"

#include <boost/asio.hpp>

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <thread>

namespace sessile::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kQuiet = asio::as_tuple(asio::use_awaitable);

tcp::endpoint local(std::uint16_t port) {
  return tcp::endpoint(asio::ip::address_v4::loopback(), port);
}

std::size_t index_of(Direction direction) noexcept {
  return direction == Direction::to_server ? 0 : 1;
}

class Link {
 public:
  explicit Link(tcp::socket accepted) : client(std::move(accepted)), server(client.get_executor()) {}
  void close() {
    boost::system::error_code ignored;
    client.close(ignored);
    server.close(ignored);
  }
  tcp::socket client;
  tcp::socket server;
};

}  // namespace

class CuttingProxy::State : public std::enable_shared_from_this<State> {
 public:
  explicit State(std::uint16_t server_port)
      : acceptor_(context_, local(0)),
        port_(acceptor_.local_endpoint().port()),
        server_(local(server_port)) {}

  void start() {
    asio::co_spawn(context_, accept(shared_from_this()), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }
  void stop() {
    context_.stop();
    thread_.join();
  }
  std::uint16_t port() const noexcept { return port_; }

  void begin(std::optional<Direction> cut, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    passed_ = {0, 0};
    cut_ = cut;
    limit_ = bytes;
    was_cut_ = false;
  }
  std::uint64_t passed(Direction direction) const {
    const std::lock_guard lock(mutex_);
    return passed_[index_of(direction)];
  }
  bool was_cut() const {
    const std::lock_guard lock(mutex_);
    return was_cut_;
  }

 private:
  static asio::awaitable<void> accept(std::shared_ptr<State> self) {
    for (;;) {
      auto [failed, socket] = co_await self->acceptor_.async_accept(kQuiet);
      if (failed) co_return;
      auto link = std::make_shared<Link>(std::move(socket));
      asio::co_spawn(self->context_, serve(self, link), asio::detached);
    }
  }
  static asio::awaitable<void> serve(std::shared_ptr<State> self, std::shared_ptr<Link> link) {
    auto [failed] = co_await link->server.async_connect(self->server_, kQuiet);
    if (failed) {
      link->close();
      co_return;
    }
    link->client.set_option(tcp::no_delay(true));
    link->server.set_option(tcp::no_delay(true));
    asio::co_spawn(self->context_, pump(self, link, Direction::to_server), asio::detached);
    asio::co_spawn(self->context_, pump(self, link, Direction::to_client), asio::detached);
  }
  static asio::awaitable<void> pump(std::shared_ptr<State> self, std::shared_ptr<Link> link,
                                    Direction direction) {
    tcp::socket& from = direction == Direction::to_server ? link->client : link->server;
    tcp::socket& to = direction == Direction::to_server ? link->server : link->client;
    std::array<char, 16384> buffer;
    for (;;) {
      auto [unread, size] = co_await from.async_read_some(asio::buffer(buffer), kQuiet);
      if (unread) break;
      const auto [allowed, ends] = self->admit(direction, size);
      auto [unwritten, written] =
          co_await asio::async_write(to, asio::buffer(buffer.data(), allowed), kQuiet);
      if (unwritten || ends) break;
    }
    link->close();
  }
  /// How many of `size` bytes may pass, and whether the connection ends after them.
  std::pair<std::size_t, bool> admit(Direction direction, std::size_t size) {
    const std::lock_guard lock(mutex_);
    std::uint64_t& passed = passed_[index_of(direction)];
    const bool cuts = cut_ == direction && !was_cut_ && passed + size > limit_;
    const std::size_t allowed = cuts ? static_cast<std::size_t>(limit_ - passed) : size;
    passed += allowed;
    was_cut_ = was_cut_ || cuts;
    return {allowed, cuts};
  }

  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  const std::uint16_t port_;
  const tcp::endpoint server_;
  std::thread thread_;
  mutable std::mutex mutex_;
  // Protected by mutex_.
  std::array<std::uint64_t, 2> passed_{};
  std::optional<Direction> cut_;
  std::uint64_t limit_ = 0;
  bool was_cut_ = false;
};

CuttingProxy::CuttingProxy(std::uint16_t server_port) : state_(std::make_shared<State>(server_port)) {
  state_->start();
}
CuttingProxy::~CuttingProxy() {
  state_->stop();
}
std::uint16_t CuttingProxy::port() const noexcept {
  return state_->port();
}
void CuttingProxy::cut_after(Direction direction, std::uint64_t bytes) {
  state_->begin(direction, bytes);
}
void CuttingProxy::count() {
  state_->begin(std::nullopt, 0);
}
std::uint64_t CuttingProxy::passed(Direction direction) const {
  return state_->passed(direction);
}
bool CuttingProxy::was_cut() const {
  return state_->was_cut();
}

}  // namespace sessile::testing
