// Whole sessions of one agent, in pages bounded in number and bytes.
#include "conformance/suite.hpp"

#include <algorithm>

namespace sessile::conformance {
namespace {

std::vector<std::string> walk(Context& c, Subject& store, ListQuery query) {
  std::vector<std::string> ids;
  for (;;) {
    const AgentSessions page = c.get("list_for_agent", store.list_for_agent(c.agent(), query));
    for (const SessionPtr& session : page.items)
      ids.push_back(session->id.str());
    if (page.next.empty()) return ids;
    expect("a page that has a next one to hold something", !page.items.empty(), "an empty page");
    expect("a walk that ends", ids.size() < 1000, "more sessions than were ever saved");
    query.cursor(page.next);
  }
}

void whole_sessions(Context& c) {
  const auto clock = std::make_shared<ManualClock>();
  Subject& store = c.open(OpenOptions().clock(clock));
  std::vector<Session> sessions;
  for (const char* suffix : {"b", "c", "a"}) {
    sessions.push_back(c.session(suffix).set_metadata("k", suffix).add_message("assistant", "x"));
    sessions.back().trajectory.push_back(TrajectoryStep("t"));
    c.get("save", store.save(sessions.back()));
    clock->advance(std::chrono::seconds(1));
  }
  c.get("save", store.save(c.session("other").set_agent(c.agent("other"))));
  std::reverse(sessions.begin(), sessions.end());
  const AgentSessions page = c.get("list_for_agent", store.list_for_agent(c.agent()));
  expect_equal("the number of the agent's sessions", page.items.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i)
    same_session("a session, newest first", *page.items[i], sessions[i]);
  expect_equal("the revision", page.items[0]->revision, c.load(store, sessions[0].id).revision);
}

void pages(Context& c) {
  Subject& store = c.open();
  for (int i = 0; i < 7; ++i)
    c.saved(store, std::to_string(i));
  const std::vector<std::string> whole = walk(c, store, ListQuery());
  expect_equal("the number of the agent's sessions", whole.size(), 7u);
  for (std::size_t limit = 1; limit <= 8; ++limit) {
    expect_equal("the ids in pages of " + std::to_string(limit), walk(c, store, ListQuery().limit(limit)),
                 whole);
  }
}

void save_large(Context& c, Subject& store, int count) {
  for (int i = 0; i < count; ++i) {
    c.get("save",
          store.save(c.session(std::to_string(i)).add_message("user", as_json(std::string(10'000, 'x')))));
  }
}

void byte_budget(Context& c) {
  Subject& store = c.open();
  save_large(c, store, 6);
  const AgentSessions page =
      c.get("a page of 25,000 bytes", store.list_for_agent(c.agent(), ListQuery().byte_budget(25'000)));
  expect("two or three sessions of 10,000 bytes in a page of 25,000",
         page.items.size() == 2 || page.items.size() == 3, show(page.items.size()));
  expect("a next page", !page.next.empty());
  expect_equal("the ids in pages of 25,000 bytes", walk(c, store, ListQuery().byte_budget(25'000)),
               walk(c, store, ListQuery()));
}

void at_least_one(Context& c) {
  Subject& store = c.open();
  save_large(c, store, 3);
  for (const std::uint64_t budget : {0u, 1u}) {
    const AgentSessions page =
        c.get("a page of no bytes", store.list_for_agent(c.agent(), ListQuery().byte_budget(budget)));
    expect_equal("the sessions in a page of no bytes", page.items.size(), 1u);
  }
  expect_equal("the sessions in pages of one byte", walk(c, store, ListQuery().byte_budget(1)).size(), 3u);
}

void filters(Context& c) {
  Subject& store = c.open();
  const Session wanted = c.session("1").set_project("p");
  c.get("save", store.save(wanted));
  c.get("save", store.save(c.session("2").set_project("q")));
  expect_equal("the ids of a project", walk(c, store, ListQuery().project("p")),
               std::vector<std::string>(1, wanted.id.str()));
}

void empty_agent(Context& c) {
  Subject& store = c.open();
  const std::string user = c.agent("user").str();
  const Session wanted = c.session("1").set_agent(AgentId()).set_user(user);
  c.get("save", store.save(wanted));
  c.get("save", store.save(c.session("2").set_user(user)));
  const AgentSessions page =
      c.get("list_for_agent of none", store.list_for_agent(AgentId(), ListQuery().user(user)));
  expect_equal("the number of sessions without an agent", page.items.size(), 1u);
  same_session("the session without an agent", *page.items.front(), wanted);
}

asio::awaitable<void> churn(Subject* store, Session session, std::shared_ptr<std::atomic<bool>> over,
                            int rounds) {
  for (int i = 0; i < rounds; ++i) {
    Session copy = session;
    need("saving", co_await store->save(std::move(copy)));
    need("removing", co_await store->remove(session.id));
  }
  over->store(true);
}

asio::awaitable<void> list_often(Subject* store, AgentId agent, SessionId stays,
                                 std::shared_ptr<std::atomic<bool>> over) {
  do {
    const AgentSessions page =
        need("listing while sessions are removed", co_await store->list_for_agent(agent));
    expect_equal("what could not be read", page.unreadable.size(), 0u);
    const auto found =
        std::count_if(page.items.begin(), page.items.end(), [&](const auto& s) { return s->id == stays; });
    expect_equal("how often the session that stays was listed", found, 1);
  } while (!over->load());
}

void removed_meanwhile(Context& c) {
  Subject& store = c.open();
  const Session stays = c.saved(store, "stays");
  const auto over = std::make_shared<std::atomic<bool>>(false);
  std::vector<asio::awaitable<void>> work;
  for (int i = 0; i < 4; ++i)
    work.push_back(churn(&store, c.session(std::to_string(i)), over, 60));
  work.push_back(list_often(&store, c.agent(), stays.id, over));
  work.push_back(list_often(&store, c.agent(), stays.id, over));
  c.together(std::move(work));
}

}  // namespace

std::vector<Entry> list_for_agent_behaviours() {
  return {
      {"list_for_agent.whole_sessions", "list_for_agent returns the agent's sessions whole, newest first",
       whole_sessions},
      {"list_for_agent.pages", "Pages of an agent's sessions hold each exactly once", pages},
      {"list_for_agent.byte_budget", "A page of an agent's sessions ends at its byte budget", byte_budget},
      {"list_for_agent.at_least_one", "A page of an agent's sessions has one however large it is",
       at_least_one},
      {"list_for_agent.filters", "list_for_agent takes the filters of list", filters},
      {"list_for_agent.empty_agent", "The empty agent has the sessions without an agent", empty_agent},
      {"list_for_agent.removed_meanwhile", "Sessions removed meanwhile are skipped", removed_meanwhile},
  };
}

}  // namespace sessile::conformance
