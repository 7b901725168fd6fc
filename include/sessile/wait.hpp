// Runs an asynchronous operation to its end on the calling thread.
#pragma once

#include <sessile/async.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <utility>

namespace sessile::blocking {

namespace detail {
/// True on a thread that the store's own work needs.
bool on_thread_of_the_store() noexcept;
}  // namespace detail

/// Waits for `operation`, as yet unstarted, on a context of its own: `blocking::wait(documents.list("notes"))`.
/// What it refers to must live until then. Errors: as the operation; unsupported when called from one of the
/// store's internal threads, where waiting could wait for itself. Thread-safe.
template <class T>
Result<T> wait(Async<T> operation) {
  if (detail::on_thread_of_the_store()) {
    return Error(Errc::unsupported, "a blocking call from a thread of the store could wait for itself");
  }
  asio::io_context context(1);
  Result<T> outcome;
  asio::co_spawn(context, std::move(operation), [&outcome](std::exception_ptr thrown, Result<T> result) {
    outcome = thrown ? Result<T>(sessile::detail::error_from(thrown)) : std::move(result);
  });
  context.run();
  return outcome;
}

}  // namespace sessile::blocking
