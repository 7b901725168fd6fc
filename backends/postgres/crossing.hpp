// From a caller's executor to the internal one and back, for work that suspends.
#pragma once

#include "storage/io_pool.hpp"

#include <sessile/result.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <memory>

namespace sessile::postgres {

template <class T>
class Crossed {
 public:
  std::exception_ptr thrown;
  Result<T> result;
};

/// Runs `work` as a coroutine on `there`, a strand of the internal executor, and resumes the calling
/// coroutine on its own executor with what it returned; what it threw is thrown there. A cancellation (any
/// type) reaches `work` as a total one. The call completes only when `work` has ended, so `work` may refer to
/// what the awaiting coroutine owns. The counterpart of storage::run_on, and as careful about the way home.
template <class T>
Async<T> run_there(asio::any_io_executor there, Async<T> work) {
  using Shared = std::shared_ptr<Crossed<T>>;
  auto crossed = co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Shared)>(
      [](auto handler, asio::any_io_executor on, Async<T> job) {
        auto signal = std::make_shared<asio::cancellation_signal>();
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) {
          slot.assign([signal, on](asio::cancellation_type) {
            asio::post(on, [signal] { signal->emit(asio::cancellation_type::total); });
          });
        }
        auto home = asio::get_associated_executor(handler, on);
        auto finish = [signal, home, guard = asio::make_work_guard(home), handler = std::move(handler)](
                          std::exception_ptr thrown, Result<T> result) mutable {
          auto outcome = std::make_shared<Crossed<T>>();
          outcome->thrown = std::move(thrown);
          outcome->result = std::move(result);
          storage::post_home(std::move(home), std::move(guard),
                             [handler = std::move(handler), outcome = std::move(outcome)]() mutable {
                               std::move(handler)(std::move(outcome));
                             });
        };
        asio::co_spawn(
            on, std::move(job),
            asio::bind_cancellation_slot(signal->slot(), asio::bind_executor(on, std::move(finish))));
      },
      asio::use_awaitable, std::move(there), std::move(work));
  if (crossed->thrown) {
    crossed->result.ignore();
    std::rethrow_exception(crossed->thrown);
  }
  co_return std::move(crossed->result);
}

}  // namespace sessile::postgres
