// What every store of this library does alike with what its users hold on to, leave out, and barely change.
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/backend.hpp>
#include <sessile/blocking.hpp>
#include <sessile/json.hpp>
#include <sessile/open.hpp>

#include <doctest/doctest.h>

#include <functional>

using namespace sessile;

namespace {

/// Opens the store, anew at each call but for the one that is gone then.
using Open = std::function<std::shared_ptr<SessionStore>()>;

void for_each_store(const std::function<void(const Open&)>& test) {
  {
    INFO("memory");
    const auto store = open_store("memory:").value();
    test([store] { return store; });
  }
  for (const std::string scheme : {"file", "jsondir"}) {
    INFO(scheme);
    const testing::TemporaryDirectory directory;
    const std::string url = scheme + ":" + directory.path().string() + "/store";
    const testing::SoundAtEnd sound(url);
    test([url] { return open_store(url + "?durability=process").value(); });
  }
}

Session conversation(int messages) {
  Session session("s");
  session.set_agent("a");
  for (int i = 0; i < messages; ++i)
    session.add_message("user", "message " + std::to_string(i));
  return session;
}

SessionPtr loaded(const Open& open) {
  return blocking::load(*open(), SessionId("s")).value();
}

/// Without what the store stamps.
std::string text_of(Session session) {
  session.created_at = session.updated_at = Timestamp();
  session.revision = 0;
  return encode_session(session);
}

}  // namespace

TEST_CASE("a session whose owner goes on changing it is stored as it was at each save") {
  for_each_store([](const Open& open) {
    const auto store = open();
    const auto session = std::make_shared<Session>(conversation(1));
    REQUIRE(blocking::save(*store, session));
    session->add_message("assistant", "second").set_title("title");
    session->messages[0].content = "changed";
    const SessionPtr first = blocking::load(*store, SessionId("s")).value();
    CHECK(first->messages.size() == 1);
    CHECK(first->messages[0].content == "message 0");
    REQUIRE(blocking::save(*store, session));
    session->title = "not saved";
    const SessionPtr second = loaded(open);
    CHECK(second->messages.size() == 2);
    CHECK(second->messages[0].content == "changed");
    CHECK(second->title == "title");
    // Without a load in between, which would be remembered in the place of what was saved.
    for (const char* text : {"third", "fourth"}) {
      session->add_message("user", text);
      REQUIRE(blocking::save(*store, session));
    }
    const SessionPtr third = loaded(open);
    CHECK(third->messages.size() == 4);
    CHECK(third->title == "not saved");
  });
}

TEST_CASE("no mutation and no save puts a session in its own place that was loaded in part") {
  for_each_store([](const Open& open) {
    const auto store = open();
    REQUIRE(blocking::save(*store, conversation(5)));
    Session part = *blocking::load(*store, SessionId("s"), LoadOptions().last_messages(2)).value();
    REQUIRE(part.omitted_messages == 3);
    part.title = "part";
    const auto replace = [&part](Session& session) { session = part; };
    CHECK(blocking::update(*store, SessionId("s"), replace).error().code() == Errc::invalid_argument);
    CHECK(blocking::save(*store, part).error().code() == Errc::invalid_argument);
    part.completeness = Completeness::whole;
    CHECK(blocking::save(*store, part).error().code() == Errc::invalid_argument);
    // Who says that this is all of it now is taken at his word.
    CHECK(blocking::update(*store, SessionId("s"), replace).value()->messages.size() == 2);
    const SessionPtr after = loaded(open);
    CHECK(after->messages.size() == 2);
    CHECK(after->omitted_messages == 0);
    CHECK(blocking::list(*open()).value().items.at(0).message_count == 2);
  });
}

TEST_CASE("an update checks the names that it changes, and no others") {
  for_each_store([](const Open& open) {
    const auto store = open();
    REQUIRE(blocking::save(*store, conversation(1)));
    const auto update = [&store](const std::function<void(Session&)>& change) {
      return blocking::update(*store, SessionId("s"), [change](Session& session) { change(session); });
    };
    for (const std::string& name : {std::string(300, 'a'), std::string("a\0b", 3)}) {
      CHECK(update([&name](Session& session) { session.agent_id = AgentId(name); }).error().code() ==
            Errc::invalid_argument);
      CHECK(update([&name](Session& session) { session.parent_id = SessionId(name); }).error().code() ==
            Errc::invalid_argument);
    }
    CHECK(update([](Session& session) { session.parent_id = "p"; }).has_value());
    CHECK(update([](Session& session) { session.parent_id = SessionId(); }).has_value());
    CHECK(loaded(open)->agent_id == AgentId("a"));
  });
}

TEST_CASE("an update writes what changes nothing but the text: a sign, an order, how a time is written") {
  const std::pair<const char*, void (*)(Session&)> changes[] = {
      {"a sign", [](Session& session) { session.metadata["n"] = -0.0; }},
      {"an order",
       [](Session& session) {
         session.metadata.stable_erase("x");
         session.metadata["x"] = 1;
       }},
      {"a time",
       [](Session& session) { session.messages[0].timestamp = session.messages[0].timestamp.time(); }},
      {"an unreadable time", [](Session& session) { session.messages[1].timestamp = Timestamp(); }},
  };
  for (const auto& [what, change] : changes) {
    INFO(what);
    for_each_store([change = change](const Open& open) {
      Session session =
          decode_session(R"({"session_id":"s","agent_id":"a","metadata":{"x":1,"n":0.0},"messages":[)"
                         R"({"role":"user","content":"a","timestamp":"2026-01-01T02:00:00+02:00"},)"
                         R"({"role":"user","content":"b","timestamp":"soon"}]})",
                         Origin::caller)
              .value();
      const auto store = open();
      const Revision before = blocking::save(*store, session).value().revision;
      const SessionPtr updated =
          blocking::update(*store, SessionId("s"), [change](Session& s) { change(s); }).value();
      change(session);
      CHECK(updated->revision > before);
      CHECK(text_of(*updated) == text_of(session));
      CHECK(text_of(*loaded(open)) == text_of(session));
    });
  }
}

TEST_CASE("new unknown fields come back in the order in which they were saved") {
  for_each_store([](const Open& open) {
    const auto store = open();
    Session session = conversation(3);
    REQUIRE(blocking::save(*store, session));
    for (const std::string name : {"z", "y", "x", "w", "v"}) {
      session.extra[name] = name;
      session.extra[name + name] = 1;
      session.add_message("user", "more");
      REQUIRE(blocking::save(*store, session));
      CHECK(text_of(*loaded(open)) == text_of(session));
    }
    session.extra.stable_erase("y");
    REQUIRE(blocking::save(*store, session));
    CHECK(text_of(*loaded(open)) == text_of(session));
  });
}

TEST_CASE("a time whose original text begins with a byte order mark is refused") {
  for_each_store([](const Open& open) {
    Session session = conversation(1);
    session.messages[0].timestamp = Timestamp::unreadable("\xEF\xBB\xBF\"soon\"");
    CHECK(blocking::save(*open(), session).error().code() == Errc::invalid_argument);
  });
}
