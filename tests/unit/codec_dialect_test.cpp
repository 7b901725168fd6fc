#include "counted_size.hpp"

#include <sessile/backend.hpp>

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include <algorithm>

namespace {

using namespace sessile;

constexpr std::string_view kLoops = R"({
  "session_id": "5f1f", "agent_id": "planner", "created_at": "2026-01-02T03:04:05.123456789Z",
  "last_active_at": "2026-01-02T04:00:00Z", "formation": {"kind": "solo", "weights": [0.1, 1.0]},
  "parent_spawn_ref": {"parent_session_id": "root-session", "spawn_index": 3}, "scope": null,
  "loops": [
    {"loop_id": "l1", "status": "done", "messages": [
      {"role": "user", "content": "First question", "turn_id": 7, "timestamp": 1767323045000},
      {"Llm": {"role": "assistant", "content": [{"type": "text", "text": "Answer"}], "model": "m"}, "turn_id": 8},
      {"message": {"role": "tool", "content": "out", "timestamp": "2026-01-02T03:05:00Z"}, "timestamp": 1},
      {"Custom": {"kind": "note"}}, "text", {"role": 5}]},
    {"loop_id": "l2"},
    {"loop_id": "l3", "messages": [{"role": "user", "content": "Second"}]}]})";

StoredSession stored(std::string_view text) {
  return decode_document(text, Limits()).value();
}

TEST_CASE("P13 a reference library's document loads into a session") {
  const Session session = stored(kLoops).session;
  CHECK(session.id == SessionId("5f1f"));
  CHECK(session.agent_id == AgentId("planner"));
  CHECK(session.parent_id == SessionId("root-session"));
  CHECK(session.created_at.time() == *parse_time("2026-01-02T03:04:05.123456Z"));
  CHECK(session.updated_at.time() == *parse_time("2026-01-02T04:00:00Z"));
  CHECK(session.revision == content_revision(kLoops));
  CHECK(title_of(session) == "First question");
  REQUIRE(session.messages.size() == 4);
  CHECK(session.messages[0].role == "user");
  CHECK(session.messages[0].content == json::value("First question"));
  CHECK(session.messages[0].timestamp.time() == *parse_time("2026-01-02T03:04:05Z"));
  CHECK(session.messages[0].extra == json::object{{"turn_id", 7}});
  CHECK(session.messages[1].role == "assistant");
  CHECK(session.messages[1].content.at(0).at("text") == json::value("Answer"));
  CHECK(session.messages[1].extra == json::object{{"model", "m"}, {"turn_id", 8}});
  CHECK(session.messages[2].timestamp.time() == *parse_time("2026-01-02T03:05:00Z"));
  CHECK(session.messages[3].content == json::value("Second"));
}

TEST_CASE("P13 once rewritten by us, the original's fields are all there and unchanged") {
  Session session = stored(kLoops).session;
  session.add_message("user", "Third");
  const std::string text = encode_document(session, AppendMemory());
  const json::object original = json::parse(json::string_view(kLoops.data(), kLoops.size())).get_object();
  const json::object rewritten = json::parse(text).get_object();
  for (const auto& field : original) {
    CAPTURE(std::string(field.key()));
    REQUIRE(rewritten.contains(field.key()));
    CHECK(rewritten.at(field.key()) == field.value());
  }
  const Session again = stored(text).session;
  CHECK(again.same_content(session));
  CHECK(again.messages.size() == 5);
}

TEST_CASE("P13 last_active_at follows updated_at, in the form it has") {
  const TimePoint now = *parse_time("2026-06-01T00:00:00.25Z");
  Session session = stored(kLoops).session;
  session.updated_at = now;
  const auto written = [&] { return json::parse(encode_session(session)).at("last_active_at"); };
  CHECK(written() == json::value("2026-06-01T00:00:00.250000Z"));
  CHECK(measure(session, Limits()).value() == sessile::testing::counted_size(session));
  session.extra["last_active_at"] = 1767323045;
  CHECK(written() == json::value(1780272000));
  session.extra["last_active_at"] = 1767323045000;
  CHECK(written() == json::value(1780272000250));
  session.extra["last_active_at"] = 1767323045.5;
  CHECK(written() == json::value(1780272000.25));
  session.extra["last_active_at"] = json::object{{"not", "a time"}};
  CHECK(written() == session.extra["last_active_at"]);
  CHECK(measure(session, Limits()).value() == sessile::testing::counted_size(session));
  // A time in nanoseconds goes no further than its number.
  session.extra["last_active_at"] = 1767323045000000000;
  session.updated_at = *parse_time("9999-01-01T00:00:00Z");
  CHECK(written() == session.extra["last_active_at"]);
}

TEST_CASE("What is stored with a short last_active_at counts as what is loaded then") {
  Session session("s");
  session.extra["last_active_at"] = "2026-01-01T00:00:00Z";
  const auto before = measure(session, Limits()).value();
  CHECK(before == sessile::testing::counted_size(session));
  session.updated_at = session.created_at = *parse_time("2026-06-01T00:00:00.25Z");
  const Session loaded = decode_session(encode_session(session), Origin::stored).value();
  CHECK(measure(loaded, Limits()).value() == before);
}

TEST_CASE("P13 our own fields win over the reference library's, empty ones too") {
  Session session = stored(kLoops).session;
  session.messages.clear();
  session.parent_id = SessionId();
  const Session back = stored(encode_document(session, AppendMemory())).session;
  CHECK(back.messages.empty());
  CHECK(back.parent_id.empty());
  CHECK(back.extra.contains("loops"));
  const Session mixed = stored(R"({"session_id":"x","updated_at":"2026-02-01T00:00:00Z","last_active_at":5,
      "messages":[{"role":"user","content":"ours"}],"loops":[{"messages":[{"role":"user","content":"theirs"}]}]})")
                            .session;
  REQUIRE(mixed.messages.size() == 1);
  CHECK(mixed.messages[0].content == json::value("ours"));
  CHECK(mixed.updated_at.time() == *parse_time("2026-02-01T00:00:00Z"));
}

TEST_CASE("P13 fields of the same names but other shapes are merely kept") {
  const Session session =
      stored(R"({"session_id":"x","loops":"none","last_active_at":{},"parent_spawn_ref":[1]})").session;
  CHECK(session.messages.empty());
  CHECK(session.extra.size() == 3);
  CHECK(stored(R"({"session_id":"x","parent_spawn_ref":null})").session.parent_id.empty());
}

constexpr std::string_view kExchange = R"({
  "id": "os-1", "user_id": "ada", "project_id": null, "parent_session_id": "os-0", "active_persona_id": "coder",
  "user_messages": [{"content": "one", "timestamp": "2026-01-01T00:00:00Z"},
                    {"content": "two", "timestamp": "2026-01-01T00:00:10Z", "lang": "en"}],
  "agent_responses": [
    {"content": "same time", "timestamp": "2026-01-01T00:00:00Z", "session_id": "os-1", "phase_reached": "plan",
     "evaluation_passed": null, "trajectory_range": {"start": 0, "end": 2}},
    {"content": "last", "timestamp": "2026-01-01T00:00:20Z", "trajectory_range": null}],
  "trajectory_steps": [
    {"tool_name": "grep", "tool_args": {"q": "x"}, "output_summary": "3 hits", "duration_ms": 15, "is_error": false,
     "tool_call_id": "c1", "timestamp": "2026-01-01T00:00:01Z", "cost": 0.5},
    {"tool_name": "ls", "tool_args": null, "output_summary": "", "duration_ms": 0, "is_error": true,
     "tool_call_id": null, "timestamp": 1767225602}],
  "reasoning_records": [{"thought": "t"}], "created_at": "2026-01-01T00:00:00Z",
  "updated_at": "2026-01-01T00:00:20.5Z", "metadata": {"title": "Titled"}})";

TEST_CASE("O6 an agent operating system's session loads with one ordered message list") {
  const Session session = stored(kExchange).session;
  CHECK(session.id == SessionId("os-1"));
  CHECK(session.user_id == "ada");
  CHECK(session.parent_id == SessionId("os-0"));
  CHECK(session.project_id.empty());
  CHECK(title_of(session) == "Titled");
  REQUIRE(session.messages.size() == 4);
  const char* contents[] = {"one", "same time", "two", "last"};
  const char* roles[] = {"user", "assistant", "user", "assistant"};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(session.messages[i].content == json::value(contents[i]));
    CHECK(session.messages[i].role == roles[i]);
  }
  CHECK(session.messages[1].trajectory == TrajectoryRange(0, 2));
  CHECK(session.messages[1].extra ==
        json::object{{"session_id", "os-1"}, {"phase_reached", "plan"}, {"evaluation_passed", nullptr}});
  CHECK(session.messages[2].extra == json::object{{"lang", "en"}});
  CHECK(session.messages[3].extra == json::object{{"trajectory_range", nullptr}});
  REQUIRE(session.trajectory.size() == 2);
  CHECK(session.trajectory[0].tool == "grep");
  CHECK(session.trajectory[0].arguments.at("q") == json::value("x"));
  CHECK(session.trajectory[0].duration == std::chrono::milliseconds(15));
  CHECK(session.trajectory[0].call_id == "c1");
  CHECK(session.trajectory[0].extra == json::object{{"cost", 0.5}});
  CHECK(session.trajectory[1].is_error);
  CHECK(session.trajectory[1].timestamp.time() == *parse_time("2026-01-01T00:00:02Z"));
  CHECK(session.extra ==
        json::object{{"active_persona_id", "coder"}, {"reasoning_records", {{{"thought", "t"}}}}});
}

TEST_CASE("O6 such a session, rewritten by us, reads the same") {
  const Session session = stored(kExchange).session;
  CHECK(measure(session, Limits()).has_value());
  CHECK(stored(encode_document(session, AppendMemory())).session.same_content(session));
}

TEST_CASE(
    "O6 without any time, messages and responses alternate; one without a time follows the one before") {
  const Session untimed = stored(R"({"id":"x","user_messages":[{"content":1},{"content":3},{"content":5}],
      "agent_responses":[{"content":2},{"content":4}]})")
                              .session;
  REQUIRE(untimed.messages.size() == 5);
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(untimed.messages[i].content == json::value(i + 1));
  const Session some = stored(R"({"id":"x","user_messages":[{"content":1,"timestamp":10},{"content":2}],
      "agent_responses":[{"content":3,"timestamp":20}]})")
                           .session;
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(some.messages.at(i).content == json::value(i + 1));
}

TEST_CASE("O6 what our form has no place for stays as it was, beside the messages") {
  const Session session = stored(R"({"id":"x","user_messages":[{"content":"a","role":"admin"},"text"],
      "agent_responses":[{"content":"b"}],
      "trajectory_steps":[{"tool_name":"t","duration_ms":1.5}]})")
                              .session;
  CHECK(session.messages.size() == 3);
  CHECK(session.extra.contains("user_messages"));
  CHECK(!session.extra.contains("agent_responses"));
  CHECK(session.extra.contains("trajectory_steps"));
  CHECK(session.trajectory.empty());
  CHECK(stored(encode_document(session, AppendMemory())).session.same_content(session));
}

TEST_CASE("O6 where our own messages are, the two arrays are left alone") {
  const Session session =
      stored(R"({"id":"x","messages":[],"user_messages":[{"content":"a"}],"parent_session_id":"p"})").session;
  CHECK(session.messages.empty());
  CHECK(session.parent_id.empty());
  CHECK(session.extra.size() == 2);
}

}  // namespace
