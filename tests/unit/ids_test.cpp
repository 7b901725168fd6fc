#include <sessile/ids.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace std::string_literals;

namespace {

using namespace sessile;

Errc refusal(const SessionId& id) {
  return check(id).error().code();
}

TEST_CASE("an id is 1 to 200 bytes of UTF-8 without NUL") {
  CHECK(check(SessionId("a")).has_value());
  CHECK(check(SessionId("../é \U0001F680\n")).has_value());
  CHECK(check(SessionId(std::string(200, 'x'))).has_value());
  CHECK(refusal(SessionId()) == Errc::invalid_argument);
  CHECK(refusal(SessionId(std::string(201, 'x'))) == Errc::invalid_argument);
  CHECK(refusal(SessionId("a\0b"s)) == Errc::invalid_argument);
  CHECK(refusal(SessionId("a\xFF")) == Errc::invalid_argument);
}

TEST_CASE("an agent may be empty, and follows the rules of ids else") {
  CHECK(check(AgentId()).has_value());
  CHECK(check(AgentId("agent")).has_value());
  CHECK(check(AgentId(std::string(201, 'x'))).error().code() == Errc::invalid_argument);
  CHECK(check(AgentId("\x80")).error().code() == Errc::invalid_argument);
}

TEST_CASE("UTF-8 is well formed or not, at every length and alignment") {
  for (std::size_t before = 0; before < 20; ++before) {
    const std::string lead(before, 'x');
    for (const char* good : {"", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                             "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
      CHECK(is_utf8(lead + good + lead));
    }
    for (const char* bad :
         {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xF0\x9F\x9A"}) {
      CHECK(!is_utf8(lead + bad + lead));
      CHECK(!is_utf8(lead + bad));
    }
  }
  CHECK(is_utf8("\0"s));
}

TEST_CASE("random ids are version 4 UUIDs, each another") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = SessionId::random().str();
    REQUIRE(id.size() == 36);
    REQUIRE(id[14] == '4');
    REQUIRE(seen.insert(id).second);
  }
}

}  // namespace
