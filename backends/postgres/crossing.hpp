// From a caller's executor to the internal one and back, for work that suspends.
#pragma once

#include <sessile/async.hpp>

namespace sessile::postgres {

/// Runs `work`, which throws nothing, as a coroutine on `there`, a strand of the internal executor, and
/// resumes the calling coroutine on its own executor. A cancellation (any type) reaches `work` as a total
/// one. The call completes only when `work` has ended, so `work` may refer to what the awaiting coroutine
/// owns. The counterpart of storage::run_on, and as careful about the way home.
asio::awaitable<void> cross_over(asio::any_io_executor there, asio::awaitable<void> work);

/// The same, for work with a result; what it throws becomes an error.
template <class T>
Async<T> run_there(asio::any_io_executor there, Async<T> work) {
  Result<T> result;
  auto settled = sessile::detail::settle(std::move(work), &result);
  co_await cross_over(std::move(there), std::move(settled));
  co_return result;
}

}  // namespace sessile::postgres
