#include <sessile/retention.hpp>

#include <limits>

namespace sessile {

Throttle::Throttle(std::chrono::nanoseconds cooldown, MonotonicClock clock)
    : cooldown_(cooldown.count()),
      clock_(std::move(clock)),
      next_(std::numeric_limits<std::int64_t>::min()) {}

bool Throttle::try_pass() noexcept {
  if (cooldown_ <= 0) return true;
  const auto since = clock_().time_since_epoch();
  const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
  std::int64_t next = next_.load();
  // Saturates: a cooldown of nanoseconds::max() lets one caller through, ever.
  const std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  const std::int64_t after = now > largest - cooldown_ ? largest : now + cooldown_;
  do {
    if (now < next) return false;
  } while (!next_.compare_exchange_weak(next, after));
  return true;
}

}  // namespace sessile
