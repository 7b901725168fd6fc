// Runs a coroutine from a test, and a clock that a test sets.
#pragma once

#include <sessile/result.hpp>
#include <sessile/time.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <exception>
#include <optional>

namespace sessile::testing {

/// Runs `body` to its end on this thread; what it throws is thrown here.
template <class T>
T run(asio::awaitable<T> body) {
  asio::io_context context(1);
  std::optional<T> outcome;
  std::exception_ptr failure;
  asio::co_spawn(context, std::move(body), [&](std::exception_ptr thrown, T value) {
    failure = thrown;
    outcome.emplace(std::move(value));
  });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(*outcome);
}

inline void run(asio::awaitable<void> body) {
  asio::io_context context(1);
  std::exception_ptr failure;
  asio::co_spawn(context, std::move(body), [&](std::exception_ptr thrown) { failure = thrown; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

/// Stands still until it is moved. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimePoint start = parse_time("2026-11-20T09:30:00Z").value()) : now_(since(start)) {}
  TimePoint now() const noexcept override { return TimePoint(std::chrono::microseconds(now_.load())); }
  void advance(std::chrono::microseconds by) noexcept { now_ += by.count(); }
  void set(TimePoint time) noexcept { now_ = since(time); }

 private:
  static std::int64_t since(TimePoint time) noexcept { return time.time_since_epoch().count(); }
  std::atomic<std::int64_t> now_;
};

}  // namespace sessile::testing
