#include <sessile/time.hpp>

#include <cmath>

namespace sessile {
namespace {

using std::chrono::days;
using std::chrono::microseconds;
using std::chrono::sys_days;

constexpr TimePoint kFirst = sys_days(std::chrono::year(1) / 1 / 1);

void put_digits(char* out, std::uint32_t value, int count) noexcept {
  for (int i = count - 1; i >= 0; --i, value /= 10)
    out[i] = static_cast<char>('0' + value % 10);
}

/// Takes the parts of a time off the front of a text; ok() is false once one was missing.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) {}

  int digits(std::size_t count) noexcept {
    int value = 0;
    if (rest_.size() < count) return fail();
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return fail();
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  bool skip(std::string_view any_of) noexcept {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(std::string_view any_of) noexcept {
    if (!skip(any_of)) fail();
  }
  char peek() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }
  bool at_digit() const noexcept { return peek() >= '0' && peek() <= '9'; }
  bool at_end() const noexcept { return rest_.empty(); }
  bool ok() const noexcept { return ok_; }
  int fail() noexcept {
    ok_ = false;
    return 0;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// The decimals after a decimal point, cut to six.
microseconds decimals(Scanner& scan) noexcept {
  int micros = 0;
  int scale = 100000;
  if (!scan.at_digit()) scan.fail();
  while (scan.at_digit()) {
    micros += scan.digits(1) * scale;
    scale /= 10;
  }
  return microseconds(micros);
}

/// What an offset adds to UTC: `Z`, `+hh:mm`, `+hhmm`, `+hh`, or nothing.
std::chrono::minutes offset(Scanner& scan) noexcept {
  if (scan.at_end() || scan.skip("Zz")) return std::chrono::minutes(0);
  const bool negative = scan.peek() == '-';
  scan.expect("+-");
  const int hours = scan.digits(2);
  const bool colon = scan.skip(":");
  const int minutes = colon || scan.at_digit() ? scan.digits(2) : 0;
  if (hours > 23 || minutes > 59) scan.fail();
  return std::chrono::minutes((negative ? -1 : 1) * (hours * 60 + minutes));
}

std::optional<TimePoint> in_range(TimePoint time) noexcept {
  if (time < kFirst || time > kLatestTime) return std::nullopt;
  return time;
}

class SystemClock : public Clock {
 public:
  TimePoint now() const noexcept override {
    return std::chrono::floor<microseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace

Timestamp Timestamp::unreadable(std::string original) {
  Timestamp result;
  result.original_ = std::move(original);
  return result;
}

std::string Timestamp::text() const {
  return time_ ? format_time(*time_) : std::string();
}

std::string format_time(TimePoint time) {
  if (time < kFirst) time = kFirst;
  if (time > kLatestTime) time = kLatestTime;
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const auto rest = static_cast<std::uint64_t>((time - day).count());
  const auto seconds = static_cast<std::uint32_t>(rest / 1000000);
  std::string text = "0000-00-00T00:00:00.000000Z";
  put_digits(&text[0], static_cast<std::uint32_t>(static_cast<int>(date.year())), 4);
  put_digits(&text[5], static_cast<unsigned>(date.month()), 2);
  put_digits(&text[8], static_cast<unsigned>(date.day()), 2);
  put_digits(&text[11], seconds / 3600, 2);
  put_digits(&text[14], seconds / 60 % 60, 2);
  put_digits(&text[17], seconds % 60, 2);
  put_digits(&text[20], static_cast<std::uint32_t>(rest % 1000000), 6);
  return text;
}

std::optional<TimePoint> parse_time(std::string_view text) noexcept {
  Scanner scan(text);
  const int year = scan.digits(4);
  scan.expect("-");
  const int month = scan.digits(2);
  scan.expect("-");
  const int day = scan.digits(2);
  scan.expect("Tt ");
  const int hour = scan.digits(2);
  scan.expect(":");
  const int minute = scan.digits(2);
  scan.expect(":");
  const int second = scan.digits(2);
  const microseconds fraction = scan.ok() && scan.skip(".,") ? decimals(scan) : microseconds(0);
  if (!scan.ok()) return std::nullopt;
  const std::chrono::minutes east = offset(scan);
  if (!scan.ok() || !scan.at_end()) return std::nullopt;

  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  // 60 is a leap second: the next minute, since UTC's count here has none.
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return in_range(sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                  std::chrono::seconds(second) + fraction - east);
}

std::optional<TimePoint> time_from_epoch(double number) noexcept {
  // Each bound is the year 5138 in its unit, and 1973 or earlier in the next.
  const double size = std::fabs(number);
  double micros = 0;
  if (size < 1e11) {
    micros = std::round(number * 1e6);
  } else if (size < 1e14) {
    micros = std::round(number * 1e3);
  } else if (size < 1e17) {
    micros = std::floor(number);
  } else if (size < 1e20) {
    micros = std::floor(number / 1e3);
  } else {
    return std::nullopt;  // infinities and NaN too
  }
  if (!(std::fabs(micros) < 9e18)) return std::nullopt;
  return in_range(TimePoint(microseconds(static_cast<std::int64_t>(micros))));
}

std::shared_ptr<const Clock> system_clock() {
  static const auto clock = std::make_shared<const SystemClock>();
  return clock;
}

}  // namespace sessile
