// Listings: order, filters, summaries.
#include "conformance/suite.hpp"

#include <algorithm>

namespace sessile::conformance {
namespace {

using std::chrono::seconds;

const TimePoint kStart(std::chrono::microseconds(1'700'000'000'000'000));

/// Saves a session of this agent that was updated `age` seconds before kStart.
std::string save_aged(Context& c, Subject& store, std::string_view suffix, int age) {
  Session session = c.session(suffix);
  session.created_at = kStart - std::chrono::hours(9);
  session.updated_at = kStart - seconds(age);
  c.get("save", store.save(session, SaveOptions().times(Times::preserve)));
  return session.id.str();
}

void newest_first(Context& c) {
  Subject& store = c.open();
  std::vector<std::string> expected(6);
  expected[4] = save_aged(c, store, "b", 50);
  expected[0] = save_aged(c, store, "c", 1);
  expected[2] = save_aged(c, store, "t2", 20);
  expected[3] = save_aged(c, store, "t3", 20);
  expected[1] = save_aged(c, store, "t1", 20);
  expected[5] = save_aged(c, store, "a", 60);
  expect_equal("the ids, newest first, ties by id", c.walk(store, ListQuery().agent(c.agent())), expected);
}

void by_id(Context& c) {
  Subject& store = c.open();
  std::vector<std::string> expected;
  for (const char* suffix : {"c", "a", "e", "b", "d"}) {
    expected.push_back(save_aged(c, store, suffix, static_cast<int>(expected.size())));
  }
  std::sort(expected.begin(), expected.end());
  expect_equal("the ids in order", c.walk(store, ListQuery().agent(c.agent()).order(Order::id)), expected);
}

std::vector<std::string> only(const Session& session) {
  return std::vector<std::string>(1, session.id.str());
}

/// Saves one session and one that differs, which the filter must leave out.
void filtered(Context& c, const Session& in, const Session& out, const ListQuery& query) {
  Subject& store = c.open();
  c.get("save", store.save(in));
  c.get("save", store.save(out));
  expect_equal("the ids that pass the filter", c.walk(store, query), only(in));
  expect_equal("the ids that pass the filter, by id", c.walk(store, ListQuery(query).order(Order::id)),
               only(in));
}

void filter_agent(Context& c) {
  filtered(c, c.session("in"), c.session("out").set_agent(c.agent("2")), ListQuery().agent(c.agent()));
}

void filter_user(Context& c) {
  const std::string user = c.agent("user").str();
  filtered(c, c.session("in").set_user(user), c.session("out").set_user(user + "2"),
           ListQuery().agent(c.agent()).user(user));
}

void filter_project(Context& c) {
  filtered(c, c.session("in").set_project("p"), c.session("out").set_project("q"),
           ListQuery().agent(c.agent()).project("p"));
}

void filter_no_project(Context& c) {
  filtered(c, c.session("in"), c.session("out").set_project("q"), ListQuery().agent(c.agent()).project(""));
}

void filter_no_agent(Context& c) {
  const std::string user = c.agent("user").str();
  filtered(c, c.session("in").set_agent("").set_user(user), c.session("out").set_user(user),
           ListQuery().agent(AgentId()).user(user));
}

void filter_since(Context& c) {
  Subject& store = c.open();
  save_aged(c, store, "old", 11);
  const std::string exact = save_aged(c, store, "exact", 10), young = save_aged(c, store, "young", 9);
  expect_equal("the ids updated at that time or later",
               c.walk(store, ListQuery().agent(c.agent()).updated_since(kStart - seconds(10))),
               std::vector<std::string>({young, exact}));
}

void filters_combine(Context& c) {
  Subject& store = c.open();
  const AgentId agent = c.agent();
  const auto make = [&](std::string_view suffix, AgentId of, std::string user, std::string project) {
    const Session session = c.session(suffix).set_agent(of).set_user(user).set_project(project);
    c.get("save", store.save(session));
    return session;
  };
  const Session wanted = make("1", agent, "u", "p");
  make("2", agent, "u", "q");
  make("3", agent, "v", "p");
  make("4", c.agent("other"), "u", "p");
  make("5", agent, "v", "q");
  expect_equal("the ids of agent, user and project",
               c.walk(store, ListQuery().agent(agent).user("u").project("p")), only(wanted));
  expect_equal("the ids of user and project with an agent of none",
               c.walk(store, ListQuery().agent(c.agent("none")).user("u").project("p")),
               std::vector<std::string>());
}

void nothing_there(Context& c) {
  Subject& store = c.open();
  const Page<SessionSummary> page = c.get("listing nothing", store.list(ListQuery().agent(c.agent("none"))));
  expect("an empty page without a next one", page.items.empty() && page.next.empty());
  const AgentSessions none = c.get("list_for_agent of nobody", store.list_for_agent(c.agent("none")));
  expect("an empty page of an agent without a next one", none.items.empty() && none.next.empty());
}

SessionSummary summary_of(Context& c, Subject& store, const SessionId& id) {
  const Page<SessionSummary> page = c.get("listing", store.list(ListQuery().agent(c.agent())));
  for (const SessionSummary& summary : page.items) {
    if (summary.id == id) return summary;
  }
  fail("the listing", "the summary of " + show(id), "none");
}

void summary_fields(Context& c) {
  Subject& store = c.open();
  Session session = c.session().set_user("u").set_project("p").set_parent(c.id("parent")).set_title("Title");
  session.set_metadata("pinned", true).add_message("assistant", "hi").add_message("user", "bye");
  const Written written = c.get("save", store.save(session));
  const SessionSummary summary = summary_of(c, store, session.id);
  expect_equal("agent_id", summary.agent_id, session.agent_id);
  expect_equal("user_id", summary.user_id, session.user_id);
  expect_equal("project_id", summary.project_id, session.project_id);
  expect_equal("parent_id", summary.parent_id, session.parent_id);
  expect_equal("title", summary.title, session.title);
  expect_equal("created_at", summary.created_at, written.created_at);
  expect_equal("updated_at", summary.updated_at, written.updated_at);
  expect_equal("revision", summary.revision, written.revision);
  expect_equal("message_count", summary.message_count, 3u);
  expect_equal("pinned", summary.pinned, true);
}

void titles(Context& c) {
  Subject& store = c.open();
  std::string long_line;
  for (int i = 0; i < 70; ++i)
    long_line += "\xC3\xA9";
  const std::string cut = long_line.substr(0, 120);
  Session from_metadata = c.session("1").set_metadata("title", "From metadata");
  Session from_message = Session(c.id("2"))
                             .set_agent(c.agent())
                             .add_message("system", "no")
                             .add_message("user", "First line\nsecond");
  Session long_title = Session(c.id("3")).set_agent(c.agent()).add_message("user", as_json(long_line));
  Session none = Session(c.id("4")).set_agent(c.agent());
  for (const Session& session : {from_metadata, from_message, long_title, none})
    c.get("save", store.save(session));
  expect_equal("the title of metadata", summary_of(c, store, from_metadata.id).title, "From metadata");
  expect_equal("the title of the first user message", summary_of(c, store, from_message.id).title,
               "First line");
  expect_equal("the title when there is none", summary_of(c, store, none.id).title, "");
  const std::string title = summary_of(c, store, long_title.id).title;
  expect("a long title cut between characters, with an ellipsis",
         title.size() < long_line.size() && is_utf8(title) && title.ends_with("\xE2\x80\xA6") &&
             cut.starts_with(title.substr(0, title.size() - 3)) && title.size() >= 100,
         show(title));
}

void follows_writes(Context& c) {
  const auto clock = std::make_shared<ManualClock>();
  Subject& store = c.open(OpenOptions().clock(clock));
  const auto newest_is = [&](std::string_view what, const std::string& first, const std::string& second) {
    expect_equal(what, c.walk(store, ListQuery().agent(c.agent())),
                 std::vector<std::string>({first, second}));
    clock->advance(seconds(1));
  };
  const std::string one = c.saved(store, "1").id.str();
  clock->advance(seconds(1));
  const std::string two = c.saved(store, "2").id.str();
  newest_is("the ids after two saves", two, one);
  c.get("append", store.append(one, Message("user", "x")));
  expect_equal("message_count after an append", summary_of(c, store, one).message_count, 2u);
  newest_is("the ids after an append", one, two);
  c.get("update", store.update(two, [](Session& s) { s.set_title("New"); }));
  expect_equal("title after an update", summary_of(c, store, two).title, "New");
  newest_is("the ids after an update", two, one);
}

void agent_moves(Context& c) {
  Subject& store = c.open();
  Session session = c.saved(store);
  const AgentId old_agent = c.agent(), new_agent = c.agent("new"), last = c.agent("last");
  c.get("save", store.save(session.set_agent(new_agent)));
  expect_equal("the ids of the old agent", c.walk(store, ListQuery().agent(old_agent)),
               std::vector<std::string>());
  expect_equal("the ids of the new agent", c.walk(store, ListQuery().agent(new_agent)), only(session));
  expect_equal("sessions of the old agent",
               c.get("list_for_agent", store.list_for_agent(old_agent)).items.size(), 0u);
  c.get("update", store.update(session.id, [last](Session& s) { s.set_agent(last); }));
  expect_equal("sessions of the agent before",
               c.get("list_for_agent", store.list_for_agent(new_agent)).items.size(), 0u);
  expect_equal("sessions of the last agent", c.get("list_for_agent", store.list_for_agent(last)).items.size(),
               1u);
  c.get("save", store.save(session.set_agent(old_agent)));
  expect_equal("sessions of the first agent again",
               c.get("list_for_agent", store.list_for_agent(old_agent)).items.size(), 1u);
}

void ids_are_global(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  c.refuse("creating the same id for another agent", Errc::conflict,
           store.save(Session(session).set_agent(c.agent("2")), SaveOptions().if_absent()));
  const Revision before = c.load(store, session.id).revision;
  expect_equal("the revision after a save for another agent",
               c.get("save", store.save(Session(session).set_agent(c.agent("2")))).revision, before + 1);
}

}  // namespace

std::vector<Entry> list_behaviours() {
  return {
      {"list.newest_first", "The newest updated come first, ties by id", newest_first},
      {"list.by_id", "Order::id lists by id", by_id},
      {"list.filter_agent", "The agent filter leaves out the others", filter_agent},
      {"list.filter_user", "The user filter leaves out the others", filter_user},
      {"list.filter_project", "The project filter leaves out the others", filter_project},
      {"list.filter_no_project", "An empty project filter is for sessions of none", filter_no_project},
      {"list.filter_no_agent", "An empty agent filter is for sessions of none", filter_no_agent},
      {"list.filter_since", "updated_since includes that very time", filter_since},
      {"list.filters_combine", "A session must pass every filter", filters_combine},
      {"list.nothing_there", "Listing nothing is an empty page", nothing_there},
      {"list.summary_fields", "A summary has every field of its session", summary_fields},
      {"list.titles", "A title is the session's, its metadata's or the first user message's first line",
       titles},
      {"list.follows_writes", "Listings follow every write at once", follows_writes},
      {"agents.moves", "A session is listed only under its new agent", agent_moves},
      {"agents.ids_are_global", "An agent does not scope ids", ids_are_global},
  };
}

}  // namespace sessile::conformance
