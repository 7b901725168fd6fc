// What users find handy with sessions (O6 to O11), over every store that is there.
#include "stores.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>

#include <set>
#include <thread>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

Session conversation(std::string id) {
  Session session{SessionId(std::move(id))};
  session.add_message("user", "What is the tide at noon?");
  return session;
}

}  // namespace

TEST_CASE("O6 add_message and add_response append, stamp the store's time and keep the steps' range") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    run(create(store, conversation("a"))).value();
    place.clock->advance(1s);
    run(add_message(store, "a", "user", "And at six?")).value();
    place.clock->advance(1s);
    run(add_response(store, "a", "Low.", TrajectoryRange(0, 2))).value();
    run(add_response(store, "a", json::value("No steps."))).value();
    const SessionPtr session = run(store->load("a")).value();
    REQUIRE(session->messages.size() == 4);
    CHECK(session->messages[1].role == "user");
    CHECK(session->messages[1].content == json::value("And at six?"));
    CHECK(session->messages[1].timestamp.time() == place.clock->now() - 1s);
    CHECK(session->messages[2].role == "assistant");
    CHECK(session->messages[2].trajectory == TrajectoryRange(0, 2));
    CHECK(session->messages[2].timestamp.time() == place.clock->now());
    CHECK_FALSE(session->messages[3].trajectory.has_value());
    CHECK(run(add_message(store, "nobody", "user", "?")).error().code() == Errc::not_found);
  });
}

TEST_CASE("O6 add_message leaves a given timestamp alone, and stamps none where a replay must be the same") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    run(create(store, conversation("a"))).value();
    Message dated("user", "then");
    dated.set_timestamp(parse_time("2020-01-01T00:00:00Z").value());
    run(add_message(store, "a", dated)).value();
    AppendOptions once;
    once.idempotency_key("turn-2");
    CHECK_FALSE(run(add_message(store, "a", "user", "again", once)).value().replayed);
    place.clock->advance(1h);
    CHECK(run(add_message(store, "a", "user", "again", once)).value().replayed);
    const SessionPtr session = run(store->load("a")).value();
    REQUIRE(session->messages.size() == 3);
    CHECK(session->messages[1].timestamp.text() == "2020-01-01T00:00:00.000000Z");
    CHECK_FALSE(session->messages[2].timestamp.is_set());
  });
}

TEST_CASE("O6 extend_trajectory adds steps with all their fields; without steps it writes nothing") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    run(create(store, conversation("a"))).value();
    std::vector<TrajectoryStep> steps;
    steps.push_back(TrajectoryStep("bash")
                        .set_arguments(json::object{{"command", "ls"}})
                        .set_output("12 files")
                        .set_duration(37ms)
                        .set_call_id("call-1")
                        .mark_failed());
    const SessionPtr extended = run(extend_trajectory(store, "a", steps)).value();
    const SessionPtr session = run(store->load("a")).value();
    CHECK(session->revision == extended->revision);
    REQUIRE(session->trajectory.size() == 1);
    const TrajectoryStep& step = session->trajectory[0];
    CHECK(step.tool == "bash");
    CHECK(step.arguments == json::value(json::object{{"command", "ls"}}));
    CHECK(step.output_summary == "12 files");
    CHECK(step.duration == 37ms);
    CHECK(step.call_id == "call-1");
    CHECK(step.is_error);
    CHECK(step.timestamp.time() == place.clock->now());

    const SessionPtr same = run(extend_trajectory(store, "a", std::vector<TrajectoryStep>())).value();
    CHECK(same->revision == session->revision);
    CHECK(run(store->load("a")).value()->revision == session->revision);
    CHECK(run(extend_trajectory(store, "nobody", std::vector<TrajectoryStep>())).error().code() ==
          Errc::not_found);
  });
}

TEST_CASE("O6 set_metadata and set_active_persona change one field; the same value writes nothing") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    run(create(store, conversation("a").set_metadata("colour", "blue"))).value();
    run(set_metadata(store, "a", "mood", "calm")).value();
    run(set_active_persona(store, "a", "pilot")).value();
    const SessionPtr session = run(store->load("a")).value();
    CHECK(session->metadata.at("colour") == json::value("blue"));
    CHECK(session->metadata.at("mood") == json::value("calm"));
    CHECK(active_persona(*session) == "pilot");
    CHECK(session->extra.at("active_persona_id") == json::value("pilot"));
    CHECK(run(set_metadata(store, "a", "mood", "calm")).value()->revision == session->revision);
    const SessionPtr cleared = run(set_active_persona(store, "a", "")).value();
    CHECK(active_persona(*cleared).empty());
    CHECK_FALSE(run(store->load("a")).value()->extra.contains("active_persona_id"));
    CHECK(run(set_metadata(store, "nobody", "k", 1)).error().code() == Errc::not_found);
  });
}

TEST_CASE("O6 exchange_count is the lesser of questions and answers") {
  Session session("a");
  CHECK(exchange_count(session) == 0);
  session.add_message("system", "Be brief.").add_message("user", "1").add_message("user", "2");
  CHECK(exchange_count(session) == 0);
  session.add_message("assistant", "one").add_message("tool", "-");
  CHECK(exchange_count(session) == 1);
  session.add_message("assistant", "two").add_message("assistant", "three");
  CHECK(exchange_count(session) == 2);
}

TEST_CASE("O7 concurrent conveniences on one session lose nothing") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    run(create(store, Session("a"))).value();
    constexpr int kWriters = 4, kRounds = 25;
    std::vector<std::thread> writers;
    std::atomic<int> failures{0};
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        for (int round = 0; round < kRounds; ++round) {
          const std::string key = std::to_string(writer) + "/" + std::to_string(round);
          if (!run(add_message(store, "a", "user", json::value(key)))) ++failures;
          if (!run(set_metadata(store, "a", key, round))) ++failures;
          std::vector<TrajectoryStep> steps;
          steps.emplace_back(key);
          if (!run(extend_trajectory(store, "a", steps))) ++failures;
        }
      });
    }
    for (std::thread& writer : writers)
      writer.join();
    CHECK(failures == 0);
    const SessionPtr session = run(store->load("a")).value();
    CHECK(session->messages.size() == kWriters * kRounds);
    CHECK(session->metadata.size() == kWriters * kRounds);
    CHECK(session->trajectory.size() == kWriters * kRounds);
  });
}

TEST_CASE("O8 get_or_create finds the session, or makes one of that id, or of a random UUID") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    const SessionPtr made = run(get_or_create(store, "ann", "a")).value();
    CHECK(made->id == SessionId("a"));
    CHECK(made->user_id == "ann");
    CHECK(run(get_or_create(store, "bob", "a")).value()->user_id == "ann");
    const SessionPtr first = run(get_or_create(store, "ann")).value();
    const SessionPtr second = run(get_or_create(store, "ann")).value();
    CHECK(first->id.str().size() == 36);
    CHECK(first->id != second->id);
    CHECK(run(store->load(first->id)).value()->user_id == "ann");
  });
}

TEST_CASE("O8 of many that get_or_create one id at the same time, one makes it and all see it") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    for (int round = 0; round < 20; ++round) {
      const SessionId id("shared-" + std::to_string(round));
      std::mutex mutex;
      std::set<std::string> users;
      std::set<Revision> revisions;
      std::vector<std::thread> callers;
      for (int caller = 0; caller < 4; ++caller) {
        callers.emplace_back([&, caller] {
          auto session = run(get_or_create(store, "user-" + std::to_string(caller), id));
          const std::lock_guard lock(mutex);
          REQUIRE(session.has_value());
          users.insert((*session)->user_id);
          revisions.insert((*session)->revision);
        });
      }
      for (std::thread& caller : callers)
        caller.join();
      CHECK(users.size() == 1);
      CHECK(revisions.size() == 1);
    }
  });
}

TEST_CASE("O9 summaries give id, user, count, title, project and times, newest updated first") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    Session first = conversation("first");
    first.set_user("ann").set_project("tides");
    run(create(store, first)).value();
    place.clock->advance(1min);
    std::string question;
    for (int i = 0; i < 70; ++i)
      question += "é";
    Session second("second");
    second.add_message("assistant", "Hello.").add_message("user", json::value(question + "\nmore"));
    run(create(store, second)).value();
    Session third("third");
    third.add_message("user", "plain").set_metadata("title", "Named by hand");
    place.clock->advance(1min);
    run(create(store, third)).value();

    const auto page = run(store->list()).value();
    REQUIRE(page.items.size() == 3);
    CHECK(page.items[0].title == "Named by hand");
    std::string cut;
    for (int i = 0; i < 60; ++i)
      cut += "é";
    const std::string shown = page.items[1].title;
    CHECK(is_utf8(shown));
    CHECK(shown.ends_with("…"));
    CHECK(cut.starts_with(shown.substr(0, shown.size() - std::string("…").size())));
    CHECK(page.items[2].id == SessionId("first"));
    CHECK(page.items[2].user_id == "ann");
    CHECK(page.items[2].project_id == "tides");
    CHECK(page.items[2].message_count == 1);
    CHECK(page.items[2].title == "What is the tide at noon?");
    CHECK(page.items[2].created_at.is_set());
    CHECK(page.items[2].updated_at == page.items[2].created_at);
  });
}

TEST_CASE("O10 since gives the sessions updated at the cutoff or later, loading no contents") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    run(create(store, conversation("old"))).value();
    place.clock->advance(1h);
    const TimePoint cutoff = place.clock->now();
    run(create(store, conversation("at the cutoff"))).value();
    place.clock->advance(1h);
    run(create(store, conversation("new"))).value();
    const int loads = place.loads->load();
    const auto found = run(since(store, cutoff)).value().items;
    REQUIRE(found.size() == 2);
    CHECK(found[0].id == SessionId("new"));
    CHECK(found[1].id == SessionId("at the cutoff"));
    CHECK(place.loads->load() == loads);
    CHECK(run(since(store, place.clock->now() + 1us)).value().items.empty());
  });
}

TEST_CASE("O11 move_to_project moves to a project or to none, and loses no other change") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    run(create(store, conversation("a").set_project("old"))).value();
    CHECK(run(move_to_project(store, "a", "new")).value()->project_id == "new");
    const SessionPtr session = run(store->load("a")).value();
    CHECK(session->project_id == "new");
    CHECK(session->messages.size() == 1);
    CHECK(run(move_to_project(store, "a", "new")).value()->revision == session->revision);
    CHECK(run(move_to_project(store, "a", "")).value()->project_id.empty());
    CHECK(run(store->list(ListQuery().project(""))).value().items.size() == 1);
    CHECK(run(move_to_project(store, "nobody", "p")).error().code() == Errc::not_found);
  });
}

TEST_CASE("O11 fork and copy keep content and lineage") {
  for_each_store([](TestStore& place) {
    const StorePtr& store = place.store;
    const Written original = run(create(store, conversation("a"))).value();
    place.clock->advance(1h);
    const SessionPtr child = run(fork(store, "a", "b")).value();
    CHECK(child->parent_id == SessionId("a"));
    CHECK(run(store->load("b")).value()->messages.size() == 1);
    CHECK(run(fork(store, "a", "b")).error().code() == Errc::conflict);
    const StorePtr elsewhere = open_store("memory:").value();
    CHECK(run(sessile::copy(store, elsewhere)).value().copied == 2);
    CHECK(run(elsewhere->load("b")).value()->parent_id == SessionId("a"));
    CHECK(run(elsewhere->load("a")).value()->created_at == original.created_at);
    CHECK(run(sessile::copy(store, elsewhere)).value().unchanged == 2);
  });
}
