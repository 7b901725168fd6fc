#include <sessile/backend.hpp>

#include <doctest/doctest.h>
#include <boost/json.hpp>

using namespace std::string_literals;

namespace {

using namespace sessile;

Session sample() {
  Session session("s-1");
  session.set_agent("agent").set_user("us\"er").set_project("project").set_parent("parent").set_title(
      "T\n\U0001F680");
  session.created_at = *parse_time("2026-11-20T09:30:00Z");
  session.updated_at = *parse_time("2026-11-20T09:31:00Z");
  session.revision = 42;
  session.set_metadata("pinned", true);
  session.add_message("user", "one\ntwo").add_message("assistant", json::array{"x"});
  session.trajectory.emplace_back("t");
  session.trajectory.emplace_back("u");
  session.extra["more"] = json::object{{"a", json::array{1, 2}}};
  return session;
}

Written written_at(Revision revision) {
  Written written;
  written.revision = revision;
  written.created_at = *parse_time("2026-11-20T09:30:00Z");
  written.updated_at = *parse_time("2026-11-20T09:31:00Z");
  return written;
}

StoredSession stored(std::string_view text) {
  return decode_document(text, Limits()).value();
}

TEST_CASE("a document has each field and each message on a line of its own, the summary first") {
  AppendMemory appends;
  appends.remember("key", "f00d", written_at(42));
  CHECK(encode_document(sample(), appends) ==
        R"({"sessile":{"format":1,"title":"T\n🚀","messages":2,"pinned":true},
"session_id":"s-1",
"agent_id":"agent",
"user_id":"us\"er",
"project_id":"project",
"parent_id":"parent",
"title":"T\n🚀",
"created_at":"2026-11-20T09:30:00.000000Z",
"updated_at":"2026-11-20T09:31:00.000000Z",
"revision":42,
"metadata":{"pinned":true},
"messages":[
{"role":"user","content":"one\ntwo"},
{"role":"assistant","content":["x"]}
],
"trajectory":[
{"tool":"t"},
{"tool":"u"}
],
"more":{"a":[1,2]},
"sessile_appends":[{"key":"key","fingerprint":"f00d","revision":42,"created_at":"2026-11-20T09:30:00.000000Z","updated_at":"2026-11-20T09:31:00.000000Z"}]
}
)");
  CHECK(encode_document(Session("x"), AppendMemory()).find("\"messages\":[]\n}\n") != std::string::npos);
}

TEST_CASE("a document round-trips with what is remembered beside the session") {
  AppendMemory appends;
  appends.remember("k1", "f1", written_at(41));
  appends.remember("k2", "f2", written_at(42));
  const std::string text = encode_document(sample(), appends);
  const StoredSession back = stored(text);
  CHECK(back.session.same_content(sample()));
  CHECK(back.session.revision == 42);
  CHECK(back.session.updated_at == sample().updated_at);
  CHECK(back.session.stored_bytes == text.size());
  REQUIRE(back.appends.entries().size() == 2);
  CHECK(back.appends.find("k1", "f1").value()->revision == 41);
  CHECK(encode_document(back.session, back.appends) == text);
  CHECK(decode_session(text, Origin::caller).value().same_content(sample()));
}

TEST_CASE("a document without a revision takes one from its bytes") {
  const std::string text = R"({"session_id":"x"})";
  const Revision revision = stored(text).session.revision;
  CHECK(revision == content_revision(text));
  CHECK(revision != 0);
  CHECK(revision < Revision{1} << 52U);
  CHECK(stored(text + " ").session.revision != revision);
  // SHA-256("") begins e3b0c44298fc1c14…
  CHECK(content_revision("") == 0xe3b0c44298fc1U);
}

TEST_CASE("a document of a newer format is unsupported, not corrupt") {
  const Error error =
      decode_document(R"({"sessile":{"format":2},"session_id":"x","revision":"r7"})", Limits()).error();
  CHECK(error.code() == Errc::unsupported);
  CHECK(error.detail().find("upgrade") != std::string::npos);
  for (const char* header : {"{}", "1", "{\"format\":0}", "{\"format\":\"1\"}", "{\"format\":-1}"}) {
    CHECK(decode_document("{\"session_id\":\"x\",\"sessile\":"s + header + "}", Limits()).error().code() ==
          Errc::corrupt);
  }
}

TEST_CASE("the head of a document gives its summary without the rest") {
  for (const bool with_appends : {false, true}) {
    AppendMemory appends;
    if (with_appends) appends.remember("k", "f", written_at(1));
    const std::string text = encode_document(sample(), appends);
    const std::optional<SessionSummary> head = decode_head(text);
    REQUIRE(head);
    CHECK(*head == summarize(sample()));
    CHECK(decode_head(text.substr(0, text.find("\"metadata\":") + 11)) == head);
  }
  Session plain("p");
  plain.revision = 7;
  plain.created_at = Timestamp(*parse_time("2023-11-14T22:13:20Z"), "1700000000");
  plain.updated_at = Timestamp(*parse_time("2023-11-14T22:13:20Z"), "\"2023-11-14T23:13:20+01:00\"");
  plain.add_message("user", "Hi, \"sessile\":{} \\ \u2028");
  const std::optional<SessionSummary> head = decode_head(encode_document(plain, AppendMemory()));
  REQUIRE(head);
  CHECK(*head == summarize(plain));
  CHECK(head->created_at.original() == "1700000000");
}

TEST_CASE("a head that is cut at any byte gives the summary or nothing, never another one") {
  Session session = sample();
  session.revision = 1763631000000123;
  session.set_title("\\\"quoted\\\"\U0001F680");
  const std::string text = encode_document(session, AppendMemory());
  const std::size_t enough = text.find("\"metadata\":") + 11;
  for (std::size_t length = 0; length <= text.size(); ++length) {
    CAPTURE(length);
    const std::optional<SessionSummary> head = decode_head(std::string_view(text).substr(0, length));
    CHECK(head.has_value() == (length >= enough));
    if (head) CHECK(*head == summarize(session));
  }
}

TEST_CASE("a head is not fooled by other programs, nor by what a session says") {
  const std::string text = encode_document(sample(), AppendMemory());
  CHECK(!decode_head(json::serialize(json::parse(text))));  // rewritten compactly: the header may be stale
  CHECK(!decode_head(" " + text));
  CHECK(!decode_head(R"({"session_id":"x","messages":[]})"));
  CHECK(!decode_head(R"({"messages":[],"sessile":{"format":1,"title":"","messages":0},"session_id":"x"})"));
  CHECK(!decode_head(""));
  CHECK(!decode_head(std::string(5000, '\0')));
  const auto edited = [&](std::string_view from, std::string_view to) {
    std::string copy = text;
    copy.replace(copy.find(from), from.size(), to);
    return decode_head(copy);
  };
  CHECK(edited("\"format\":1", "\"format\":1"));
  CHECK(!edited("\"format\":1", "\"format\":2"));
  CHECK(!edited("\"session_id\":\"s-1\"", "\"session_id\":\"\""));
  CHECK(!edited("\"session_id\":\"s-1\"", "\"session_id\":7"));
  CHECK(!edited("\"revision\":42", "\"revision\":0"));
  CHECK(!edited("\"revision\":42", "\"revision\":4.2"));
  CHECK(!edited("\"revision\":42", "\"revision\":18446744073709551616"));
  CHECK(!edited("\"agent\"", "\"ag\xFFnt\""));
  CHECK(!edited("\"agent\"", "\"ag\\ud800nt\""));
  CHECK(!edited("\"agent\"", "\"ag\nent\""));
  CHECK(!edited("\"created_at\":\"", "\"created_at\":[],\"x\":\""));

  Session sly("real");
  sly.revision = 3;
  sly.set_title("\",\"messages\":9,\"pinned\":true},\n\"session_id\":\"fake\"");
  sly.set_agent("\"},\n\"revision\":9,\n\"metadata\":");
  const std::optional<SessionSummary> head = decode_head(encode_document(sly, AppendMemory()));
  REQUIRE(head);
  CHECK(*head == summarize(sly));
}

TEST_CASE("a summary is one line of JSON") {
  SessionSummary summary = summarize(sample());
  summary.stored_bytes = 99;
  const json::value value = json::parse(encode_summary(summary));
  CHECK(value.at("session_id") == json::value("s-1"));
  CHECK(value.at("message_count") == json::value(2));
  CHECK(value.at("stored_bytes") == json::value(99));
  CHECK(value.at("pinned") == json::value(true));
  CHECK(encode_summary(summary).find('\n') == std::string::npos);
}

TEST_CASE("remembered appends are found by key, and refuse other messages") {
  AppendMemory appends;
  CHECK(!appends.find("k", "f").value());
  appends.remember("k", "f", written_at(5));
  const std::optional<Written> found = appends.find("k", "f").value();
  REQUIRE(found);
  CHECK(found->replayed);
  CHECK(found->revision == 5);
  CHECK(appends.find("k", "g").error().code() == Errc::invalid_argument);
}

TEST_CASE("the last 64 appends are remembered, also when read back") {
  AppendMemory appends;
  for (Revision i = 1; i <= 100; ++i)
    appends.remember("k" + std::to_string(i), "f", written_at(i));
  CHECK(appends.entries().size() == kRememberedAppends);
  CHECK(!appends.find("k36", "f").value());
  CHECK(appends.find("k37", "f").value());
  const AppendMemory back = AppendMemory::from_json(appends.to_json()).value();
  CHECK(back.to_json() == appends.to_json());
  CHECK(back.entries().front().key == "k37");
}

TEST_CASE("a malformed memory of appends is corrupt") {
  for (const char* text : {"{}", "[1]", "[{}]", R"([{"key":"k","revision":-1}])", R"([{"key":5}])"}) {
    CAPTURE(text);
    CHECK(AppendMemory::from_json(json::parse(text)).error().code() == Errc::corrupt);
    CHECK(decode_document("{\"session_id\":\"x\",\"sessile_appends\":"s + text + "}", Limits())
              .error()
              .code() == Errc::corrupt);
  }
}

TEST_CASE("fingerprints tell lists of messages apart") {
  const auto print = [](std::initializer_list<const char*> contents) {
    std::vector<Message> messages;
    for (const char* content : contents)
      messages.emplace_back("user", content);
    return fingerprint(messages);
  };
  CHECK(print({"a"}).size() == 32);
  CHECK(print({"a", "b"}) == print({"a", "b"}));
  CHECK(print({"a", "b"}) != print({"b", "a"}));
  CHECK(print({"a", "b"}) != print({"ab"}));
  CHECK(print({}) != print({""}));
  std::vector<Message> timed(1, Message("user", "a"));
  timed[0].timestamp = TimePoint(std::chrono::seconds(1));
  CHECK(fingerprint(timed) != print({"a"}));
}

}  // namespace
