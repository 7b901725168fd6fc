#include "counted_size.hpp"

#include <sessile/json.hpp>

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include <limits>

using namespace std::string_literals;

namespace {

using namespace sessile;

Session sample() {
  Session session("s-1");
  session.set_agent("agent").set_user("user").set_project("project").set_parent("s-0").set_title(
      "A \"title\"");
  session.created_at = *parse_time("2026-11-20T09:30:00Z");
  session.updated_at = *parse_time("2026-11-20T09:31:00.5Z");
  session.revision = 1763631000000000;
  session.set_metadata("pinned", true).set_metadata("deep", json::parse(R"({"a":[1,{"b":null}]})"));
  session.add_message("user", "Hello \U0001F680\u2028 \0 there"s.c_str());
  session.add_message(Message("assistant", json::parse(R"([{"type":"text","text":"Hi"}])"))
                          .set_timestamp(*parse_time("2026-11-20T09:30:01Z"))
                          .set_trajectory(TrajectoryRange(0, 1))
                          .set_extra(json::object{{"model", "m"}, {"usage", {{"in", 1}}}}));
  session.trajectory.push_back(TrajectoryStep("search")
                                   .set_arguments(json::object{{"q", "x"}})
                                   .set_output("found")
                                   .set_duration(std::chrono::milliseconds(12))
                                   .set_call_id("c1")
                                   .set_timestamp(*parse_time("2026-11-20T09:30:00.25Z"))
                                   .mark_failed());
  session.trajectory.back().extra["attempt"] = 2;
  session.extra["unknown"] = json::array{1, "two"};
  return session;
}

Session read(std::string_view text) {
  return decode_session(text, Origin::stored).value();
}

/// The fault that decoding `text` gives.
Error refused(std::string_view text) {
  return decode_session(text, Origin::caller).error();
}

std::string measured_fault(const Session& session, Errc code = Errc::invalid_argument) {
  const Result<std::uint64_t> size = measure(session, Limits());
  REQUIRE(!size);
  CHECK(size.error().code() == code);
  return size.error().detail();
}

TEST_CASE("a session round-trips through its JSON, every field of it") {
  const Session session = sample();
  const std::string text = encode_session(session);
  CHECK(text.find('\n') == std::string::npos);
  const Session back = read(text);
  CHECK(back.same_content(session));
  CHECK(back.updated_at == session.updated_at);
  CHECK(back.revision == session.revision);
  CHECK(encode_session(back) == text);
  CHECK(back.trajectory[0].extra.at("attempt") == json::value(2));
  CHECK(back.trajectory[0].is_error);
  CHECK(back.messages[1].trajectory == TrajectoryRange(0, 1));
}

TEST_CASE("an empty session has its five fields and its messages") {
  const std::string text = encode_session(Session("x"));
  CHECK(text ==
        R"({"session_id":"x","agent_id":"","created_at":null,"updated_at":null,"revision":0,"messages":[]})");
  CHECK(read(text).same_content(Session("x")));
}

TEST_CASE("unknown fields survive at each level, in their order") {
  const std::string text =
      R"({"session_id":"x","agent_id":"a","created_at":"2026-01-01T00:00:00.000000Z",)"
      R"("updated_at":"2026-01-01T00:00:00.000000Z","revision":5,"metadata":{"k":[1.0,-0.0]},)"
      R"("messages":[{"role":"user","content":{"any":"json"},"id":"m1","z":{"y":[]},"a":null}],)"
      R"("trajectory":[{"tool":"t","later":18446744073709551615,"b":1e+300}],"zeta":1,"alpha":{"n":2.5}})";
  CHECK(encode_session(read(text)) == text);
}

TEST_CASE("measure says the exact size of the JSON, as it can be at most with the same content") {
  const Session session = sample();
  CHECK(measure(session, Limits()).value() == sessile::testing::counted_size(session));
  CHECK(measure(Session("x"), Limits()).value() == sessile::testing::counted_size(Session("x")));
  for (const Message& message : session.messages) {
    CHECK(measure(message, Limits()).value() == encode_message(message).size());
  }
  Session odd("o");
  odd.extra["k\"\n\x01"] = json::array{
      std::numeric_limits<std::int64_t>::min(), ~std::uint64_t{0}, 0.1, -0.0, true, false, nullptr, "\x1f/"};
  odd.created_at = Timestamp(TimePoint(), "1700000000123");
  CHECK(measure(odd, Limits()).value() == sessile::testing::counted_size(odd));
  odd.updated_at = Timestamp(TimePoint(), "\"a long text of another program's\"");
  CHECK(measure(odd, Limits()).value() == sessile::testing::counted_size(odd));
}

TEST_CASE("extra that shadows a known field is refused, at each level") {
  for (const char* name :
       {"sessile", "session_id", "agent_id", "user_id", "project_id", "parent_id", "title", "created_at",
        "updated_at", "revision", "metadata", "messages", "trajectory", "sessile_appends"}) {
    Session session("x");
    session.extra[name] = 1;
    CHECK(measured_fault(session) == "/"s + name + ": extra shadows a known field");
  }
  Session session("x");
  session.extra["partial"] = true;
  CHECK(measured_fault(session).find("/partial") == 0);
  for (const char* name : {"role", "content", "timestamp", "trajectory"}) {
    Session with_message("x");
    with_message.add_message("user", "a").add_message("user", "b");
    with_message.messages[1].extra[name] = 1;
    CHECK(measured_fault(with_message) == "/messages/1/"s + name + ": extra shadows a known field");
    CHECK(measure(with_message.messages[1], Limits()).error().code() == Errc::invalid_argument);
  }
  for (const char* name :
       {"tool", "arguments", "output_summary", "duration_ms", "is_error", "call_id", "timestamp"}) {
    Session with_step("x");
    with_step.trajectory.emplace_back("t").extra[name] = 1;
    CHECK(measured_fault(with_step) == "/trajectory/0/"s + name + ": extra shadows a known field");
  }
  Session fine("x");
  fine.extra["id"] = 1;
  fine.metadata["session_id"] = 1;
  CHECK(measure(fine, Limits()).has_value());
}

TEST_CASE("what JSON cannot hold is refused with its place, not its content") {
  Session session("x");
  session.add_message("user", json::object{{"a/b", json::array{0, std::numeric_limits<double>::infinity()}}});
  CHECK(measured_fault(session).find("/messages/0/content/a~1b/1:") == 0);
  session = Session("x").add_message("user", "secret\xFF");
  const std::string detail = measured_fault(session);
  CHECK(detail.find("/messages/0/content:") == 0);
  CHECK(detail.find("secret") == std::string::npos);
  session = Session("x").set_metadata("k", std::numeric_limits<double>::quiet_NaN());
  CHECK(measured_fault(session).find("/metadata/k:") == 0);
  session = Session("x").set_metadata("bad\x80", 1);
  CHECK(measured_fault(session).find("/metadata:") == 0);
  session = Session("x").set_user(std::string(1025, 'u'));
  CHECK(measured_fault(session).find("/user_id:") == 0);
  session = Session("x").set_title("\xC3");
  CHECK(measured_fault(session).find("/title:") == 0);
  session = Session("x");
  session.created_at = Timestamp(TimePoint(), "1}{");
  CHECK(measured_fault(session).find("/created_at:") == 0);
  session.created_at = Timestamp(TimePoint::max());
  CHECK(measured_fault(session).find("/created_at:") == 0);
}

TEST_CASE("limits are exact: at the limit accepted, one beyond too_large") {
  Session session = sample();
  Limits limits;
  session.created_at = session.updated_at = Timestamp(TimePoint());
  session.revision = ~Revision{0};
  limits.session_bytes = encode_session(session).size() + 1;  // a comma for the first message too
  CHECK(measure(session, limits).has_value());
  limits.session_bytes -= 1;
  CHECK(measure(session, limits).error().code() == Errc::too_large);
  limits = Limits();
  limits.message_bytes = encode_message(session.messages[1]).size();
  CHECK(measure(session, limits).has_value());
  limits.message_bytes -= 1;
  CHECK(measure(session, limits).error().code() == Errc::too_large);
  CHECK(measure(session, limits).error().detail().find("/messages/1") == 0);
  CHECK(measure(session.messages[1], limits).error().code() == Errc::too_large);
}

TEST_CASE("depth is counted alike when a session is measured and when it is read") {
  json::value content = "core";
  for (int i = 0; i < 7; ++i)
    content = json::array{std::move(content)};
  Session session("x");
  session.add_message("user", content);
  Limits limits;
  limits.depth = 10;  // the session, its messages, the message, and seven more
  const std::string text = encode_session(session);
  const std::string message = encode_message(session.messages[0]);
  CHECK(measure(session, limits).has_value());
  CHECK(measure(session.messages[0], limits).has_value());
  CHECK(decode_session(text, Origin::stored, limits).has_value());
  CHECK(decode_message(message, Origin::stored, limits).has_value());
  CHECK(session_from_json(json::parse(text), Origin::stored, limits).has_value());
  limits.depth = 9;
  CHECK(measure(session, limits).error().code() == Errc::too_large);
  CHECK(measure(session.messages[0], limits).error().code() == Errc::too_large);
  CHECK(decode_session(text, Origin::stored, limits).error().code() == Errc::too_large);
  CHECK(decode_message(message, Origin::stored, limits).error().code() == Errc::too_large);
  CHECK(session_from_json(json::parse(text), Origin::stored, limits).error().code() == Errc::too_large);
}

TEST_CASE("a known field of the wrong type is a fault that names the place") {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"session_id":7})", "/session_id:"},
      {R"({"session_id":""})", "/session_id:"},
      {R"({"session_id":"x","agent_id":[]})", "/agent_id:"},
      {R"({"session_id":"x","revision":-1})", "/revision:"},
      {R"({"session_id":"x","revision":1.5})", "/revision:"},
      {R"({"session_id":"x","created_at":{}})", "/created_at:"},
      {R"({"session_id":"x","metadata":[]})", "/metadata:"},
      {R"({"session_id":"x","messages":{}})", "/messages:"},
      {R"({"session_id":"x","messages":[{},5]})", "/messages/1:"},
      {R"({"session_id":"x","messages":[{"role":1}]})", "/messages/0/role:"},
      {R"({"session_id":"x","messages":[{"trajectory":[1]}]})", "/messages/0/trajectory:"},
      {R"({"session_id":"x","trajectory":[{"duration_ms":"5"}]})", "/trajectory/0/duration_ms:"},
      {R"({"session_id":"x","trajectory":[{"is_error":0}]})", "/trajectory/0/is_error:"},
      {R"({"session_id":"x","sessile":3})", "/sessile/format:"},
      {R"({"agent_id":"x"})", "the root: session_id is missing"},
      {R"([1])", "the root:"}};
  for (const auto& [text, place] : cases) {
    CAPTURE(text);
    const Error error = refused(text);
    CHECK(error.code() == Errc::invalid_argument);
    CHECK(error.detail().find(place) == 0);
    CHECK(decode_session(text, Origin::stored).error().code() == Errc::corrupt);
  }
}

TEST_CASE("null stands for a field that is not there") {
  const Session session =
      read(R"({"session_id":"x","agent_id":null,"user_id":null,"project_id":null,"title":null,
      "created_at":null,"revision":null,"metadata":null,"messages":null,"trajectory":null,"parent_id":null})");
  CHECK(session.same_content(Session("x")));
}

TEST_CASE("id is read where session_id is missing, and is another field where it is not") {
  CHECK(read(R"({"id":"x"})").id == SessionId("x"));
  CHECK(read(R"({"id":"x"})").extra.empty());
  const Session both = read(R"({"id":"other","session_id":"x"})");
  CHECK(both.id == SessionId("x"));
  CHECK(both.extra.at("id") == json::value("other"));
}

TEST_CASE("a message without a role or a content is read as it is") {
  const Message message = decode_message(R"({"note":1})", Origin::stored).value();
  CHECK(message.role.empty());
  CHECK(message.content.is_null());
  CHECK(encode_message(message) == R"({"role":"","content":null,"note":1})");
  CHECK(decode_message("[]", Origin::stored).error().code() == Errc::corrupt);
  CHECK(decode_message(R"({"role":[]})", Origin::caller).error().detail().find("/role:") == 0);
}

TEST_CASE("times of other forms are normalised, and written back as they were") {
  const char* forms[] = {R"("2026-11-20T10:30:00+01:00")",
                         R"("2026-11-20 09:30:00")",
                         R"("2026-11-20T09:30:00Z")",
                         R"("2026-11-20T09:30:00.000000000Z")",
                         "1795167000",
                         "1795167000000",
                         "1795167000000000"};
  for (const char* form : forms) {
    CAPTURE(form);
    const std::string text =
        R"({"session_id":"x","agent_id":"","created_at":)"s + form +
        R"(,"updated_at":null,"revision":0,"messages":[{"role":"u","content":1,"timestamp":)" + form + "}]}";
    const Session session = read(text);
    CHECK(session.created_at.time() == *parse_time("2026-11-20T09:30:00Z"));
    CHECK(session.messages[0].timestamp.original() == form);
    CHECK(measure(session, Limits()).value() == sessile::testing::counted_size(session));
    CHECK(encode_session(session) == text);
  }
  const Message own =
      decode_message(R"({"timestamp":"2026-11-20T09:30:00.000000Z"})", Origin::stored).value();
  CHECK(own.timestamp.original().empty());
  const Message vague =
      decode_message(R"({"role":"u","content":1,"timestamp":"last \"week\""})", Origin::stored).value();
  CHECK(!vague.timestamp.is_set());
  CHECK(encode_message(vague) == R"({"role":"u","content":1,"timestamp":"last \"week\""})");
}

TEST_CASE("a partial session says so in its JSON, and is read as one") {
  Session session = sample();
  session.completeness = Completeness::partial;
  session.omitted_messages = 40;
  const Session back = read(encode_session(session));
  CHECK(back.completeness == Completeness::partial);
  CHECK(back.omitted_messages == 40);
  CHECK(back.extra == session.extra);
  const Session foreign = read(R"({"session_id":"x","partial":false,"omitted_messages":"n/a"})");
  CHECK(foreign.completeness == Completeness::whole);
  CHECK(foreign.extra.size() == 2);
  CHECK(read(encode_session(foreign)).extra == foreign.extra);
}

TEST_CASE("what is read lies in the default storage, whatever it was parsed into") {
  json::monotonic_resource resource;
  json::value document =
      json::parse(R"({"session_id":"x","messages":[{"role":"u","content":["a"]}]})", &resource);
  const Session session = session_from_json(std::move(document), Origin::caller).value();
  CHECK(*session.messages[0].content.storage() == *json::storage_ptr());
  CHECK(*message_from_json(json::parse(R"({"content":["a"]})", &resource), Origin::caller)
             .value()
             .content.storage() == *json::storage_ptr());
}

}  // namespace
