// Coroutines that wait until something is so.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <mutex>
#include <vector>

namespace sessile::storage {

namespace asio = boost::asio;

/// What resumes those who wait, each to be called once, and with no mutex held. Protected by the mutex that
/// is given to wait_in.
using Waiters = std::vector<std::function<void()>>;

/// Returns at once when `ready`, asked with `mutex` held, says so; else when whoever made it so has called
/// what this left in `list`. Not cancellable. Resumes on the calling coroutine's executor; `otherwise`: where
/// it has none. What is given by reference must outlive the wait.
asio::awaitable<void> wait_in(Waiters& list, std::mutex& mutex, std::function<bool()> ready,
                              asio::any_io_executor otherwise);

}  // namespace sessile::storage
