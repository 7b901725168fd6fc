// Runs an asynchronous operation to its end on the calling thread.
#pragma once

#include <sessile/async.hpp>

#include <exception>
#include <utility>

namespace sessile::blocking {

namespace detail {
/// True on a thread that the store's own work needs.
bool on_thread_of_the_store() noexcept;
Error could_wait_for_itself();
/// Runs `work` to its end on a context of its own; what it throws is thrown.
void run_to_end(asio::awaitable<void> work);
}  // namespace detail

/// Waits for `operation`, as yet unstarted, on a context of its own:
/// `blocking::wait(documents.list("notes"))`. What it refers to must live until then. Errors: as the
/// operation; unsupported when called from one of the store's internal threads, where waiting could wait for
/// itself (of an executor that the program gave it is for the caller to know). Thread-safe.
template <class T>
Result<T> wait(Async<T> operation) {
  if (detail::on_thread_of_the_store()) return detail::could_wait_for_itself();
  Result<T> outcome;
  try {
    detail::run_to_end(sessile::detail::settle(std::move(operation), &outcome));
  } catch (...) {
    outcome = sessile::detail::error_from(std::current_exception());
  }
  return outcome;
}

}  // namespace sessile::blocking
