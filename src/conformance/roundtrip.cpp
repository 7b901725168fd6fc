// What is saved comes back, all of it and exactly.
#include "conformance/suite.hpp"

#include <cmath>
#include <limits>

namespace sessile::conformance {
namespace {

void comes_back(Context& c, const Session& session) {
  Subject& store = c.open();
  c.get("saving", store.save(session));
  same_session("the session loaded", c.load(store, session.id), session);
}

void every_field(Context& c) {
  const TimePoint time = TimePoint(std::chrono::microseconds(1'750'000'000'123'456));
  Session session = c.session();
  session.set_user("user-7").set_project("project-7").set_parent(c.id("parent")).set_title("A title");
  session.add_message(Message("assistant", json::array{json::object{{"type", "text"}, {"text", "hi"}}})
                          .set_timestamp(time)
                          .set_trajectory(TrajectoryRange(0, 2)));
  session.add_message("tool", json::object{{"ok", true}});
  session.trajectory.push_back(TrajectoryStep("search")
                                   .set_arguments(json::object{{"query", "x"}})
                                   .set_output("three hits")
                                   .set_duration(std::chrono::milliseconds(1234))
                                   .set_call_id("call-1")
                                   .set_timestamp(time)
                                   .mark_failed());
  session.trajectory.push_back(TrajectoryStep("read"));
  session.set_metadata("pinned", true).set_metadata("note", "n");
  comes_back(c, session);
}

const json::object& unknown_fields() {
  static const json::object fields{{"vendor_id", 17},
                                   {"nested", json::object{{"deep", json::array{1, nullptr}}}}};
  return fields;
}

void session_extra(Context& c) {
  Session session = c.session();
  session.extra = unknown_fields();
  comes_back(c, session);
}

void message_extra(Context& c) {
  Session session = c.session();
  session.messages.front().extra = unknown_fields();
  comes_back(c, session);
}

void step_extra(Context& c) {
  Session session = c.session();
  session.trajectory.push_back(TrajectoryStep("t"));
  session.trajectory.front().extra = unknown_fields();
  comes_back(c, session);
}

void nested_json(Context& c) {
  Session session = c.session();
  json::value deep = "bottom";
  for (int level = 0; level < 60; ++level) {
    json::object object;
    object["down"] = std::move(deep);
    deep = std::move(object);
  }
  session.set_metadata("deep", deep);
  session.set_metadata("empties", json::array{json::object(), json::array(), "", nullptr, false});
  session.set_metadata("null", nullptr).set_metadata("", "an empty key");
  session.add_message("assistant", nullptr).add_message("assistant", "").add_message("", json::array());
  comes_back(c, session);
}

void empty_session(Context& c) {
  comes_back(c, Session(c.id()));
}

void empty_agent(Context& c) {
  Session session = c.session();
  session.agent_id = AgentId();
  comes_back(c, session);
}

void large_session(Context& c) {
  Session session = c.session();
  for (int i = 0; i < 2000; ++i) {
    session.add_message(i % 2 ? "assistant" : "user", as_json(std::to_string(i) + std::string(2100, 'x')));
  }
  comes_back(c, session);
}

void integers(Context& c) {
  Session session = c.session();
  session.set_metadata(
      "integers",
      json::array{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(),
                  std::numeric_limits<std::uint64_t>::max(), 0, -1, 9007199254740993, -9007199254740993});
  comes_back(c, session);
}

void doubles(Context& c) {
  Session session = c.session();
  session.set_metadata(
      "doubles", json::array{-0.0, 0.0, 5e-324, -5e-324, 1.7976931348623157e308, 0.1, 1.0 / 3, 1.0, -2.0,
                             1e21, 1e-7, 2.2250738585072014e-308, 123456789012345680.0, 9007199254740993.0,
                             4.35, 0.30000000000000004});
  comes_back(c, session);
}

void not_finite(Context& c) {
  Subject& store = c.open();
  const double values[] = {std::nan(""), INFINITY, -INFINITY};
  for (const double value : values) {
    const Session session = c.session().set_metadata("number", value);
    c.refuse("saving " + std::to_string(value), Errc::invalid_argument, store.save(session));
    c.absent(store, session.id);
  }
  const Session kept = c.saved(store, "kept");
  c.refuse("appending a message that holds NaN", Errc::invalid_argument,
           store.append(kept.id, Message("user", json::array{std::nan("")})));
  same_session("the session appended to", c.load(store, kept.id), kept);
}

void replaces_all(Context& c) {
  Subject& store = c.open();
  Session first = c.session();
  first.set_title("old").set_metadata("old", 1).set_user("someone");
  first.extra["old"] = true;
  first.trajectory.push_back(TrajectoryStep("old"));
  c.get("the first save", store.save(first));
  const Session second = Session(first.id).set_metadata("new", 2);
  c.get("the second save", store.save(second));
  same_session("the session after the second save", c.load(store, first.id), second);
}

void foreign_times(Context& c) {
  const TimePoint time = TimePoint(std::chrono::microseconds(1'750'000'000'000'000));
  Session session = c.session();
  session.messages.front().set_timestamp(Timestamp(time, "\"2025-06-15T17:06:40+02:00\""));
  session.add_message(Message("user", "x").set_timestamp(Timestamp::unreadable("\"yesterday\"")));
  comes_back(c, session);
}

}  // namespace

std::vector<Entry> roundtrip_behaviours() {
  return {
      {"roundtrip.every_field", "Every field of a session comes back as it was saved", every_field},
      {"roundtrip.session_extra", "Unknown fields of a session are kept", session_extra},
      {"roundtrip.message_extra", "Unknown fields of a message are kept", message_extra},
      {"roundtrip.step_extra", "Unknown fields of a trajectory step are kept", step_extra},
      {"roundtrip.nested_json", "Deep, empty and null JSON comes back as it was saved", nested_json},
      {"roundtrip.empty_session", "A session of an id alone can be saved", empty_session},
      {"roundtrip.empty_agent", "A session without an agent can be saved", empty_agent},
      {"roundtrip.large_session", "A session of 2,000 messages and 4 MB comes back whole", large_session},
      {"roundtrip.integers", "Integers of 64 bits come back exactly", integers},
      {"roundtrip.doubles", "Doubles come back bit by bit", doubles},
      {"roundtrip.not_finite", "NaN and Infinity are refused and nothing is written", not_finite},
      {"roundtrip.replaces_all", "A save replaces the whole session", replaces_all},
      {"roundtrip.foreign_times", "Times that another program wrote are kept as text", foreign_times},
  };
}

}  // namespace sessile::conformance
