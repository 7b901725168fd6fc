// The course of one operation of a log: the same cancellation, timeout and handling of exceptions as a
// store's.
#pragma once

#include "operation.hpp"

#include <filesystem>
#include <string_view>

namespace sessile::detail {

/// Runs `body` with a cancellation state of its own, and adds to its error what it was about. `operation`: a
/// literal.
template <class T>
Async<T> run_log_operation(std::string_view operation, std::filesystem::path file,
                           std::chrono::milliseconds timeout, Async<T> body) {
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  Result<T> result;
  if (state.cancelled() != asio::cancellation_type::none) {
    result = Error(Errc::cancelled);
  } else {
    try {
      result = co_await run_isolated<T>(state, timeout, std::move(body));
    } catch (...) {
      result = error_from(std::current_exception());
    }
  }
  if (result) co_return result;
  Error error = result.error();
  if (error.operation().empty()) error.with_operation(operation);
  if (error.path().empty()) error.with_path(file.native());
  co_return error;
}

}  // namespace sessile::detail
