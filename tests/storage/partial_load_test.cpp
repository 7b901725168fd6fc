// Loads of the last messages: that what is not parsed is left out rightly, and checked all the same.
#include "json_directory_fixture.hpp"

#include "backends/json_directory/last_messages.hpp"
#include "backends/json_directory/layout.hpp"
#include "backends/json_directory/log_reading.hpp"

#include <doctest/doctest.h>

namespace sessile::json_directory {
namespace {

using testing::Fixture;

/// Messages in which everything looks like the end of one.
Message tricky(std::uint64_t number) {
  static const std::string kTexts[] = {R"(]},{"role":"user")", R"(\"]}\\)", "", "\"messages\":[",
                                       "{[\"\\u0000"};
  Message message("assistant", json::value(kTexts[number % 5] + std::to_string(number)));
  message.extra["nested"] = json::parse(R"([{"messages":[{"a":[]}],"b":{}},-1.5e3,true,null,"]"])");
  if (number % 3 == 0) message.content = json::parse(R"([{"type":"text","text":"\\\" } ]"}])");
  return message;
}

/// A log of a snapshot, patches and appends, large enough not to be parsed at once; 40 messages.
void write_long_log(Fixture& f) {
  Session session("s");
  session.metadata["messages"] = json::parse(R"([1,{"messages":[2]}])");
  session.extra["tail"] = std::string(70'000, '[');
  for (std::uint64_t i = 0; i < 20; ++i)
    session.messages.push_back(tricky(i));
  session.trajectory.emplace_back();
  session.trajectory.back().tool = "]}";
  REQUIRE(f.save(session));
  for (std::uint64_t i = 20; i < 40; i += 4) {
    REQUIRE(blocking::append(*f.store, "s", {tricky(i), tricky(i + 1)}));
    const auto add = [i](Session& changed) {
      changed.metadata["turn"] = i;
      changed.messages.push_back(tricky(i + 2));
      changed.messages.push_back(tricky(i + 3));
    };
    REQUIRE(blocking::update(*f.store, "s", add));
  }
}

/// As by a process that knows nothing yet.
Result<SessionPtr> last_of(Fixture& f, std::uint64_t most) {
  const auto sessions = storage::real_file_system()->open_directory(f.root() / "sessions").value();
  LogCache cache;
  auto read = read_session(*sessions, cache, SessionId("s"), Limits(), most);
  CHECK_FALSE_MESSAGE(cache.loaded(*sessions, "s.jsonl"), "all of it was parsed");
  return read;
}

TEST_CASE("The last messages are those of the whole session, whichever records they are in") {
  Fixture f;
  write_long_log(f);
  const SessionPtr whole = f.load("s").value();
  REQUIRE(whole->messages.size() == 40);
  for (std::uint64_t most = 0; most <= 41; ++most) {
    CAPTURE(most);
    const SessionPtr expected = partial_view(whole, LoadOptions().last_messages(most));
    const SessionPtr part = last_of(f, most).value();
    CHECK(part->messages == expected->messages);
    CHECK(part->omitted_messages == expected->omitted_messages);
    CHECK(part->completeness == expected->completeness);
    CHECK(part->stored_bytes == expected->stored_bytes);
    CHECK(encode_session(*part) == encode_session(*expected));
  }
}

TEST_CASE(
    "The last messages of a log whose last snapshot is not its first record are found without the rest") {
  Fixture f;
  write_long_log(f);
  Session changed = *f.load("s").value();
  changed.messages[0] = tricky(7);
  REQUIRE(f.save(changed));
  for (std::uint64_t i = 40; i < 44; ++i)
    REQUIRE(blocking::append(*f.store, "s", {tricky(i)}));
  REQUIRE(f.content("s").rfind("\"type\":\"snapshot\"") > 1000);
  const SessionPtr whole = f.load("s").value();
  for (const std::uint64_t most : {1, 3, 10, 43}) {
    CAPTURE(most);
    const SessionPtr expected = partial_view(whole, LoadOptions().last_messages(most));
    CHECK(encode_session(*last_of(f, most).value()) == encode_session(*expected));
  }
}

TEST_CASE("A damaged byte in a message that is left out is found all the same") {
  Fixture f;
  write_long_log(f);
  const std::string good = f.content("s");
  std::string bad = good;
  bad[good.find("\"role\"") + 20] ^= 1;
  f.put("s", bad);
  const auto part = last_of(f, 1);
  REQUIRE_FALSE(part);
  CHECK(part.error().code() == Errc::corrupt);
  CHECK(part.error().offset() == 0u);
}

TEST_CASE("A log of another session is not read in part either") {
  Fixture f;
  write_long_log(f);
  const auto sessions = storage::real_file_system()->open_directory(f.root() / "sessions").value();
  std::filesystem::copy_file(f.log("s"), f.log("other"));
  f.damaged = true;
  LogCache cache;
  const auto part = read_session(*sessions, cache, SessionId("other"), Limits(), 1);
  REQUIRE_FALSE(part);
  CHECK(part.error().code() == Errc::corrupt);
}

/// What is left of a record with the body `members`.
std::optional<Shortened> shortened(const std::string& members, std::uint64_t most) {
  static std::string line;
  line = storage::frame_record(1, members);
  const auto record = storage::check_record(std::string_view(line).substr(0, line.size() - 1));
  return without_early_messages(record.value(), most);
}

TEST_CASE("A record is shortened to its last messages, and nothing else of it is touched") {
  const std::string append = R"("type":"append","base":0,"messages":[{"role":"a"},{"role":"b"}])";
  const auto one = shortened(append, 1);
  REQUIRE(one);
  CHECK(one->kept == 1);
  CHECK(one->omitted == 1);
  CHECK(one->text.find(R"("base":0,"messages":[{"role":"b"}],"len":)") != std::string::npos);
  const auto none = shortened(append, 0);
  REQUIRE(none);
  CHECK(none->omitted == 2);
  CHECK(none->text.find(R"("messages":[],"len":)") != std::string::npos);
  const auto all = shortened(append, 2);
  REQUIRE(all);
  CHECK(all->kept == 2);
  CHECK(all->text.empty());
  const auto without = shortened(R"("type":"patch","set":{"messages":[{"role":"x"}]})", 0);
  REQUIRE(without);
  CHECK(without->kept + without->omitted == 0);
}

TEST_CASE("A record in another form is left to the parser") {
  CHECK_FALSE(shortened(R"("type":"snapshot","messages":[{"role":"a"}])", 1));
  CHECK_FALSE(shortened(R"("type":"snapshot","session":{"session_id":"s"})", 1));
  CHECK_FALSE(shortened(R"("type":"snapshot","session":[])", 1));
  CHECK_FALSE(shortened(R"("type":"append","messages": [{"role":"a"}])", 1));
  CHECK_FALSE(shortened(R"("type":"append","messages":[1])", 1));
  CHECK_FALSE(shortened(R"("type":"append","messages":[{"role":"a"} ])", 1));
  CHECK_FALSE(shortened(R"("type":"append","messages":{"role":"a"})", 1));
}

}  // namespace
}  // namespace sessile::json_directory
