// Runs a coroutine from a test, and a clock that a test sets.
#pragma once

#include <sessile/time.hpp>
#include <sessile/wait.hpp>

#include <atomic>
#include <optional>
#include <utility>

namespace sessile::testing {

/// Runs `body` to its end on this thread; what it throws is thrown here.
inline void run(asio::awaitable<void> body) {
  blocking::detail::run_to_end(std::move(body));
}

template <class T>
asio::awaitable<void> keep(asio::awaitable<T> body, std::optional<T>* outcome) {
  outcome->emplace(co_await std::move(body));
}

template <class T>
T run(asio::awaitable<T> body) {
  std::optional<T> outcome;
  run(keep(std::move(body), &outcome));
  return std::move(*outcome);
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
