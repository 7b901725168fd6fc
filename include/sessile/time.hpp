// Points in time as documents write them, and the clock that stamps them.
#pragma once

#include <chrono>
#include <compare>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sessile {

/// UTC with microseconds, from year 0001 to 9999.
using TimePoint = std::chrono::sys_time<std::chrono::microseconds>;

/// The last of them.
inline constexpr TimePoint kLatestTime =
    TimePoint(std::chrono::sys_days(std::chrono::year(10000) / 1 / 1)) - std::chrono::microseconds(1);

/// A point in time of a document, with the text it was written as where that was not our own form.
///
/// Our form is RFC 3339 in UTC with six decimals: `2026-11-20T09:30:00.000000Z`. Another program's form (an
/// offset, nanoseconds, epoch milliseconds) is normalised to time(), and its JSON text is kept in original()
/// and written back unchanged, so that load and save alter nothing. Comparison looks at time() alone.
class Timestamp {
 public:
  /// Not set.
  Timestamp() noexcept {}
  Timestamp(TimePoint time) noexcept : time_(time) {}
  Timestamp(TimePoint time, std::string original) : time_(time), original_(std::move(original)) {}
  /// A text that no time could be read from; kept, and written back.
  static Timestamp unreadable(std::string original);

  /// True when there is a time.
  bool is_set() const noexcept { return time_.has_value(); }
  /// True when there is neither a time nor a text.
  bool empty() const noexcept { return !time_ && original_.empty(); }
  /// The time; the epoch when there is none.
  TimePoint time() const noexcept { return time_.value_or(TimePoint()); }
  /// The JSON text (quotes included) that another program wrote; empty when it is our own form.
  const std::string& original() const noexcept { return original_; }
  /// Our own form; empty when there is no time.
  std::string text() const;

  friend bool operator==(const Timestamp& a, const Timestamp& b) noexcept { return a.time_ == b.time_; }
  friend std::strong_ordering operator<=>(const Timestamp& a, const Timestamp& b) noexcept {
    return a.time() <=> b.time();
  }

 private:
  std::optional<TimePoint> time_;
  std::string original_;
};

/// Formats as RFC 3339 in UTC with six decimals.
std::string format_time(TimePoint time);

/// Reads RFC 3339 and what is written in its place: `T` or a space, any number of decimals (cut to six), `Z`,
/// an offset, or none (UTC). Empty when `text` is none of these or out of range.
std::optional<TimePoint> parse_time(std::string_view text) noexcept;

/// Reads seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
std::optional<TimePoint> time_from_epoch(double number) noexcept;

/// Where a store takes its time from. now() is called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const noexcept = 0;
};

/// The operating system's clock.
std::shared_ptr<const Clock> system_clock();

}  // namespace sessile
