// Sessions with everything in them that a copy could lose.
#pragma once

#include "support/run.hpp"

#include <sessile/sessile.hpp>

#include <string>
#include <vector>

namespace sessile::testing {

/// The `number`th: deterministic, and unlike its neighbours in ids, text, numbers, times and fields.
inline Session varied_session(int number) {
  const std::string n = std::to_string(number);
  constexpr const char* kIds[] = {"plain-",   "with/slash ",   ".dot",
                                  "ünïcödé-", "quote'\"\\;--", "%41 percent "};
  Session session(SessionId(kIds[number % 6] + n));
  session.set_agent(AgentId(number % 5 == 0 ? "" : "agent " + std::to_string(number % 7)));
  session.set_user("user-" + std::to_string(number % 3)).set_title(number % 2 ? "Tïtle \"" + n + "\"" : "");
  if (number % 4 == 0) session.set_project("project");
  if (number % 9 == 0) session.set_parent(SessionId("plain-0"));
  for (int i = 0; i <= number % 12; ++i) {
    std::string text =
        "turn " + std::to_string(i) + " of " + n + ": \xF0\x9F\xA6\xAA \xE2\x80\xA8 \\ \" \n\t";
    text += '\0';
    Message message(i % 2 ? "assistant" : "user", json::value(json::string(text)));
    if (i % 3 == 1)
      message.content = {{{"type", "text"}, {"text", text}}, {{"type", "tool_use"}, {"input", {{"a", i}}}}};
    if (i % 4 == 0)
      message.set_timestamp(Timestamp(parse_time("2026-01-02T03:04:05.678901Z").value(),
                                      "\"2026-01-02T04:04:05.678901234+01:00\""));
    message.set_extra({{"z", 1}, {"a", -0.0}, {"uuid", "u" + n}, {"usage", {{"in", 18446744073709551615u}}}});
    session.add_message(std::move(message));
  }
  session.metadata = {{"tiny", 5e-324}, {"third", 1.0 / 3.0}, {"max", 1.7976931348623157e308}, {"", nullptr}};
  session.extra = {{"zeta", {1, 2, 3}}, {"alpha", {{"b", 1}, {"a", 2}}}, {"n", number}};
  TrajectoryStep step("tool");
  step.set_arguments({{"path", "/tmp/x"}}).set_output("ok").set_duration(std::chrono::milliseconds(17));
  if (number % 2) session.trajectory.push_back(std::move(step));
  const auto day = std::chrono::hours(24) * number;
  session.created_at = Timestamp(parse_time("2020-01-01T00:00:00.000001Z").value() + day);
  session.updated_at = Timestamp(session.created_at.time() + std::chrono::minutes(90));
  if (number % 11 == 0)
    session.updated_at =
        Timestamp(session.updated_at.time(),
                  "\"" + format_time(session.updated_at.time()).substr(0, 26) + "000+00:00\"");
  return session;
}

/// Saves `count` of them as they are, times included.
inline void fill(const StorePtr& store, int count) {
  for (int i = 0; i < count; ++i)
    run(store->save(
            varied_session(i),
            SaveOptions()
                .times(Times::preserve)
                .durability(store->capabilities().max_durability == Durability::none ? Durability::none
                                                                                     : Durability::process)))
        .value();
}

/// Every session of a store as the document that export prints, but for the revision; in the order of ids.
inline std::vector<std::string> documents_of(const StorePtr& store) {
  std::vector<std::string> documents;
  ListQuery query;
  query.order(Order::id).limit(kMaxPageSize);
  do {
    auto page = run(store->list(query)).value();
    for (const SessionSummary& summary : page.items) {
      Session session = *run(store->load(summary.id)).value();
      session.revision = 0;
      documents.push_back(encode_session(session));
    }
    query.cursor(page.next);
  } while (!query.cursor().empty());
  return documents;
}

}  // namespace sessile::testing
