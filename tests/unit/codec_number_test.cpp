#include <sessile/json.hpp>

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace {

using namespace sessile;

std::string text_of(const json::value& value) {
  std::string text;
  write_json(text, value);
  return text;
}

json::value read(std::string_view text) {
  return parse_json(text, Origin::stored).value();
}

bool is_refused(std::string_view text) {
  const Result<json::value> value = parse_json(text, Origin::stored);
  return !value && value.error().code() == Errc::corrupt;
}

TEST_CASE("random doubles of every magnitude round-trip bit for bit") {
  std::mt19937_64 random(20261120);
  int tried = 0;
  while (tried < 20000) {
    const double number = std::bit_cast<double>(static_cast<std::uint64_t>(random()));
    if (!std::isfinite(number)) continue;
    ++tried;
    const json::value back = read(text_of(number));
    REQUIRE(back.is_double());
    REQUIRE(std::bit_cast<std::uint64_t>(back.get_double()) == std::bit_cast<std::uint64_t>(number));
  }
}

TEST_CASE("short decimals that people write read as the nearest double, and are written as they were") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const std::string text =
        std::to_string(random() % 1000000) + "." + std::to_string(1 + random() % 8) + "25";
    const json::value value = read(text);
    REQUIRE(value.is_double());
    REQUIRE(value.get_double() == std::strtod(text.c_str(), nullptr));
  }
  for (const char* text :
       {"0.1", "0.3", "1e+22", "1e-07", "5e-324", "1.7976931348623157e+308", "123456.789"}) {
    CHECK(text_of(read(text)) == text);
  }
}

TEST_CASE("integers keep their 64 bits and their kind") {
  CHECK(read("9223372036854775807") == json::value(std::numeric_limits<std::int64_t>::max()));
  CHECK(read("-9223372036854775808") == json::value(std::numeric_limits<std::int64_t>::min()));
  CHECK(read("18446744073709551615") == json::value(std::numeric_limits<std::uint64_t>::max()));
  CHECK(read("-9223372036854775808").is_int64());
  CHECK(read("18446744073709551615").is_uint64());
  for (const char* text : {"0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
                           "18446744073709551615"}) {
    CHECK(text_of(read(text)) == text);
  }
}

TEST_CASE("a double always looks like one") {
  CHECK(text_of(1.0) == "1.0");
  CHECK(text_of(100.0) == "100.0");
  CHECK(text_of(100000.0) == "1e+05");
  CHECK(text_of(-3.0) == "-3.0");
  CHECK(read("1.0").is_double());
  CHECK(read("1e2").is_double());
  CHECK(text_of(1) == "1");
}

TEST_CASE("minus zero stays a double with its sign") {
  for (const char* text : {"-0", "-0.0", "-0e5", "[-0]"}) {
    json::value value = read(text);
    if (value.is_array()) value = json::value(value.get_array()[0]);
    CAPTURE(text);
    REQUIRE(value.is_double());
    CHECK(value.get_double() == 0.0);
    CHECK(std::signbit(value.get_double()));
    CHECK(text_of(value) == "-0.0");
  }
  CHECK(read("0").is_int64());
  CHECK(!std::signbit(read("0.0").get_double()));
}

TEST_CASE("an integer beyond 64 bits is read when a double is exactly it, else refused") {
  CHECK(read("18446744073709551616").get_double() == 18446744073709551616.0);
  CHECK(read("100000000000000000000").get_double() == 1e20);
  CHECK(read("-9223372036854777856").get_double() == -9223372036854777856.0);
  CHECK(text_of(read("100000000000000000000")) == "1e+20");
  CHECK(is_refused("18446744073709551617"));
  CHECK(is_refused("-9223372036854775809"));
  CHECK(is_refused("123456789012345678901234567890"));
  CHECK(is_refused(std::string(400, '9')));
}

TEST_CASE("numbers too large or too small for a double are refused, with their place") {
  for (const char* text : {"1e400", "-1e400", "1e-400", "-1e-400", "1e99999999999", "1e-99999999999"}) {
    CAPTURE(text);
    CHECK(is_refused(text));
  }
  CHECK(read("0e400").get_double() == 0.0);
  CHECK(read("2.2250738585072011e-308").get_double() == 2.2250738585072011e-308);
  CHECK(read("4.9406564584124654e-324").get_double() == std::numeric_limits<double>::denorm_min());

  const Error error = parse_json("{\"a\":\n [1, 1e400]}", Origin::caller).error();
  CHECK(error.code() == Errc::invalid_argument);
  CHECK(error.offset() == 11u);
  CHECK(error.detail().find("line 2, column 6") != std::string::npos);
}

TEST_CASE("what is not a JSON number is refused") {
  for (const char* text : {"01", "+1", ".5", "1.", "1e", "0x10", "NaN", "Infinity", "-", "--1", "1e+"}) {
    CAPTURE(text);
    CHECK(is_refused(text));
  }
}

}  // namespace
