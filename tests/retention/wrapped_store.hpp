// A store in front of another, whose listing can be held up and whose removals can be made to fail.
#pragma once

#include <sessile/sessile.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <functional>
#include <optional>

namespace sessile::testing {

class WrappedStore final : public SessionStore {
 public:
  explicit WrappedStore(OpenOptions options)
      : SessionStore(options, capabilities_of()), inner_(open_store("memory:", options).value()) {}
  explicit WrappedStore(StorePtr inner)
      : SessionStore(OpenOptions(), capabilities_of()), inner_(std::move(inner)) {}

  std::atomic<bool> hold_listings{false};
  std::atomic<int> listings{0};
  // Set before the store is used.
  std::function<std::optional<Error>()> fail_listing = [] { return std::nullopt; };
  std::function<std::optional<Error>(const SessionId&)> fail_removal = [](const SessionId&) {
    return std::nullopt;
  };

 private:
  static Capabilities capabilities_of() {
    Capabilities capabilities;
    capabilities.backend = "wrapped";
    return capabilities;
  }
  Async<Written> do_save(SessionPtr session, SaveOptions options) override {
    return inner_->save(std::move(session), std::move(options));
  }
  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override {
    return inner_->load(std::move(id), std::move(options));
  }
  Async<Page<SessionSummary>> do_list(ListQuery query) override {
    ++listings;
    asio::steady_timer pause(co_await asio::this_coro::executor);
    while (hold_listings) {
      pause.expires_after(std::chrono::milliseconds(1));
      co_await pause.async_wait(asio::use_awaitable);
    }
    if (auto failure = fail_listing()) co_return *failure;
    auto page = co_await inner_->list(std::move(query));
    co_return page;
  }
  Async<void> do_remove(SessionId id, RemoveOptions options) override {
    if (auto failure = fail_removal(id)) co_return *failure;
    auto removed = co_await inner_->remove(std::move(id), std::move(options));
    co_return removed;
  }

  const StorePtr inner_;
};

}  // namespace sessile::testing
