#include "crossing.hpp"

#include "storage/io_pool.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <memory>

namespace sessile::postgres {

asio::awaitable<void> cross_over(asio::any_io_executor there, asio::awaitable<void> work) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [](auto handler, asio::any_io_executor on, asio::awaitable<void> job) {
        auto signal = std::make_shared<asio::cancellation_signal>();
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) {
          slot.assign([signal, on](asio::cancellation_type) {
            asio::post(on, [signal] { signal->emit(asio::cancellation_type::total); });
          });
        }
        auto home = asio::get_associated_executor(handler, on);
        auto resume = [handler = std::move(handler)]() mutable { std::move(handler)(); };
        storage::WayHome way(std::move(home), std::move(resume));
        auto finish = [signal, way = std::move(way)](std::exception_ptr) mutable { way.go(); };
        asio::co_spawn(
            on, std::move(job),
            asio::bind_cancellation_slot(signal->slot(), asio::bind_executor(on, std::move(finish))));
      },
      asio::use_awaitable, std::move(there), std::move(work));
}

}  // namespace sessile::postgres
