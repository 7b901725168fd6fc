#include <sessile/results.hpp>

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include <functional>

namespace {

using namespace sessile;

std::string title_from(json::value content) {
  return title_of(Session("x").add_message("user", std::move(content)));
}

TEST_CASE(
    "O9 the title is the session's own, else metadata.title, else the first user message's first line") {
  Session session("x");
  CHECK(title_of(session).empty());
  session.add_message("system", "be kind")
      .add_message("user", "  \n Hello there \r\nmore")
      .add_message("user", "second");
  CHECK(title_of(session) == "Hello there");
  session.set_metadata("title", "");
  CHECK(title_of(session) == "Hello there");
  session.set_metadata("title", 5);
  CHECK(title_of(session) == "Hello there");
  session.set_metadata("title", "From metadata");
  CHECK(title_of(session) == "From metadata");
  session.set_title("Own");
  CHECK(title_of(session) == "Own");
}

TEST_CASE("O9 a title is cut at 60 characters, on a character boundary, with an ellipsis") {
  std::string rockets;
  for (int i = 0; i < 60; ++i)
    rockets += "\U0001F680";
  CHECK(title_from(rockets.c_str()) == rockets);
  CHECK(title_from((rockets + "x").c_str()) == rockets + "…");
  CHECK(title_from(std::string(61, 'a').c_str()) == std::string(60, 'a') + "…");
}

TEST_CASE("O9 a title is taken from the first text block of a message made of blocks") {
  CHECK(title_from(json::parse(
            R"([{"type":"image"},{"type":"text","text":"Look"},{"type":"text","text":"no"}])")) == "Look");
  CHECK(title_from(json::parse(R"(["bare",{"type":"input_text","text":"In"}])")) == "In");
  CHECK(title_from(json::parse(R"([{"type":"tool_result","text":"no"},{"type":"text","text":5}])")).empty());
  CHECK(title_from(json::parse(R"({"text":"no"})")).empty());
}

TEST_CASE("a session is pinned by metadata.pinned being true") {
  CHECK(!is_pinned(Session("x")));
  CHECK(is_pinned(Session("x").set_metadata("pinned", true)));
  CHECK(!is_pinned(Session("x").set_metadata("pinned", true).set_metadata("pinned", false)));
  CHECK(!is_pinned(Session("x").set_metadata("pinned", "true")));
}

TEST_CASE("same_content sees every change a user makes, and no stamp of the store") {
  Session base("x");
  base.add_message("user", "a");
  const std::function<void(Session&)> changes[] = {
      [](Session& s) { s.id = SessionId("y"); },
      [](Session& s) { s.set_agent("a"); },
      [](Session& s) { s.set_user("u"); },
      [](Session& s) { s.set_project("p"); },
      [](Session& s) { s.set_parent("p"); },
      [](Session& s) { s.set_title("t"); },
      [](Session& s) { s.created_at = TimePoint(); },
      [](Session& s) { s.add_message("user", "b"); },
      [](Session& s) { s.messages[0].content = "b"; },
      [](Session& s) { s.messages[0].extra["k"] = 1; },
      [](Session& s) { s.messages[0].trajectory = TrajectoryRange(0, 1); },
      [](Session& s) { s.trajectory.emplace_back("t"); },
      [](Session& s) { s.set_metadata("k", 1); },
      [](Session& s) { s.extra["k"] = 1; }};
  for (const auto& change : changes) {
    Session changed = base;
    change(changed);
    CHECK(!base.same_content(changed));
  }
  Session stamped = base;
  stamped.revision = 9;
  stamped.updated_at = TimePoint();
  stamped.stored_bytes = 5;
  CHECK(base.same_content(stamped));
}

TEST_CASE("a summary has all of a session but its bodies") {
  Session session("x");
  session.set_agent("a").set_user("u").set_project("p").set_parent("q").set_metadata("pinned", true);
  session.add_message("user", "Title").add_message("assistant", "b");
  session.created_at = TimePoint(std::chrono::seconds(1));
  session.updated_at = TimePoint(std::chrono::seconds(2));
  session.revision = 3;
  session.stored_bytes = 4;
  const SessionSummary summary = summarize(session);
  CHECK(summary.id == session.id);
  CHECK(summary.agent_id == session.agent_id);
  CHECK(summary.user_id == "u");
  CHECK(summary.project_id == "p");
  CHECK(summary.parent_id == SessionId("q"));
  CHECK(summary.title == "Title");
  CHECK(summary.created_at == session.created_at);
  CHECK(summary.updated_at == session.updated_at);
  CHECK(summary.revision == 3);
  CHECK(summary.message_count == 2);
  CHECK(summary.stored_bytes == 4);
  CHECK(summary.pinned);
}

}  // namespace
