#include <sessile/time.hpp>

#include <doctest/doctest.h>

#include <limits>

namespace {

using namespace sessile;
using std::chrono::microseconds;
using std::chrono::seconds;

TEST_CASE("times are written as RFC 3339 in UTC with six decimals, and read back") {
  CHECK(format_time(TimePoint()) == "1970-01-01T00:00:00.000000Z");
  CHECK(format_time(TimePoint(microseconds(-1))) == "1969-12-31T23:59:59.999999Z");
  CHECK(format_time(TimePoint(microseconds(1795167000123456))) == "2026-11-20T09:30:00.123456Z");
  for (const char* text :
       {"0001-01-01T00:00:00.000000Z", "2024-02-29T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"}) {
    REQUIRE(parse_time(text));
    CHECK(format_time(*parse_time(text)) == text);
  }
  CHECK(format_time(TimePoint::max()) == "9999-12-31T23:59:59.999999Z");
  CHECK(format_time(TimePoint::min()) == "0001-01-01T00:00:00.000000Z");
}

TEST_CASE("other spellings of a time are read") {
  const TimePoint expected(microseconds(1795167000500000));
  for (const char* text :
       {"2026-11-20T09:30:00.5Z", "2026-11-20t09:30:00.5z", "2026-11-20 09:30:00.500",
        "2026-11-20T09:30:00.5000009Z", "2026-11-20T10:30:00.5+01:00", "2026-11-20T04:00:00.5-05:30",
        "2026-11-20T10:30:00,5+0100", "2026-11-20T10:30:00.5+01"}) {
    CAPTURE(text);
    CHECK(parse_time(text) == expected);
  }
  CHECK(parse_time("2016-12-31T23:59:60Z") == parse_time("2017-01-01T00:00:00Z"));
}

TEST_CASE("what is no time is not read") {
  for (const char* text :
       {"", "2026-11-20", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-20T24:00:00Z",
        "2026-11-20T09:60:00Z", "2026-11-20T09:30:61Z", "2026-11-20T09:30Z", "2026-11-20T09:30:00.Z",
        "2026-11-20T09:30:00Zx", "2026-11-20T09:30:00+1", "2026-11-20T09:30:00+24:00",
        "2026-11-20T09:30:00 +01:00", "26-11-20T09:30:00Z", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "yesterday", "1795167000"}) {
    CAPTURE(text);
    CHECK(!parse_time(text));
  }
}

TEST_CASE("epoch numbers are told apart by their size") {
  const TimePoint expected(seconds(1795167000));
  CHECK(time_from_epoch(1795167000) == expected);
  CHECK(time_from_epoch(1795167000e3) == expected);
  CHECK(time_from_epoch(1795167000e6) == expected);
  CHECK(time_from_epoch(1795167000e9) == expected);
  CHECK(time_from_epoch(1795167000.25) == expected + microseconds(250000));
  CHECK(time_from_epoch(0) == TimePoint());
  CHECK(time_from_epoch(-1) == TimePoint(seconds(-1)));
  CHECK(!time_from_epoch(std::numeric_limits<double>::quiet_NaN()));
  CHECK(!time_from_epoch(std::numeric_limits<double>::infinity()));
  CHECK(!time_from_epoch(1e20));
  CHECK(!time_from_epoch(-1e300));
  CHECK(!time_from_epoch(-9.9e10));
}

TEST_CASE("a timestamp compares by its time, and knows whether it has one") {
  CHECK(!Timestamp().is_set());
  CHECK(Timestamp().text().empty());
  const Timestamp vague = Timestamp::unreadable("\"soon\"");
  CHECK(!vague.is_set());
  CHECK(vague.original() == "\"soon\"");
  CHECK(Timestamp(TimePoint(), "0") == Timestamp(TimePoint()));
  CHECK(Timestamp(TimePoint()).text() == "1970-01-01T00:00:00.000000Z");
}

TEST_CASE("the system's clock tells the time") {
  const auto before = std::chrono::floor<microseconds>(std::chrono::system_clock::now());
  CHECK(system_clock()->now() >= before);
}

}  // namespace
