#include "storage/waiters.hpp"

#include "storage/io_pool.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <utility>

namespace sessile::storage {

asio::awaitable<void> wait_in(Waiters& list, std::mutex& mutex, std::function<bool()> ready,
                              asio::any_io_executor otherwise) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&list, &mutex, ready = std::move(ready), otherwise = std::move(otherwise)](auto handler) {
        auto home = asio::get_associated_executor(handler, otherwise);
        auto resume = [handler = std::move(handler)]() mutable { std::move(handler)(); };
        using Way = WayHome<decltype(home), decltype(resume)>;
        auto wake = [way = std::make_shared<Way>(std::move(home), std::move(resume))] { way->go(); };
        {
          const std::lock_guard lock(mutex);
          if (!ready()) {
            list.push_back(std::move(wake));
            return;
          }
        }
        wake();
      },
      asio::use_awaitable);
}

}  // namespace sessile::storage
