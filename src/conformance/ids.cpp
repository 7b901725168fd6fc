// Ids are bytes: any UTF-8, each its own session.
#include "conformance/suite.hpp"

#include <algorithm>
#include <map>

namespace sessile::conformance {
namespace {

using namespace std::string_literals;

/// Saves a session under each of these ids, and finds each again: alone, in a listing and after the others'
/// removal.
void are_distinct(Context& c, const std::vector<std::string>& ids) {
  Subject& store = c.open();
  const AgentId agent = c.agent();
  for (const std::string& id : ids) {
    const Session session = Session(c.exactly(id))
                                .set_agent(agent)
                                .set_title("of " + std::to_string(id.size()))
                                .set_metadata("id", as_json(id));
    c.get("saving the id " + show(id), store.save(session, SaveOptions().if_absent()));
  }
  for (const std::string& id : ids) {
    const Session session = c.load(store, id);
    expect_equal("the id of the session loaded", session.id, SessionId(id));
    same_json("what is stored under " + show(id), session.metadata, json::object{{"id", as_json(id)}});
  }
  std::vector<std::string> sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  expect_equal("the ids listed", c.walk(store, ListQuery().agent(agent).order(Order::id)), sorted);
  for (const std::string& id : ids) {
    c.get("removing the id " + show(id), store.remove(id));
    c.absent(store, id);
  }
}

void one_to_200_bytes(Context& c) {
  std::string emojis;
  for (int i = 0; i < 50; ++i)
    emojis += "\xF0\x9F\xA6\x91";
  are_distinct(c, {"i", std::string(200, 'n'), std::string(199, 'n'), std::string(200, '%'), emojis});
}

void refused_id(Context& c, const SessionId& id) {
  Subject& store = c.open();
  const std::string with = " with the id " + show(id);
  c.refuse("saving" + with, Errc::invalid_argument, store.save(Session(id)));
  c.refuse("loading" + with, Errc::invalid_argument, store.load(id));
  c.refuse("removing" + with, Errc::invalid_argument, store.remove(id));
  c.refuse("updating" + with, Errc::invalid_argument, store.update(id, [](Session&) {}));
  c.refuse("appending" + with, Errc::invalid_argument, store.append(id, Message("user", "x")));
}

void too_long(Context& c) {
  refused_id(c, c.exactly(std::string(201, 'n')));
}
void empty(Context& c) {
  refused_id(c, SessionId());
}
void nul(Context& c) {
  refused_id(c, c.exactly("a\0b"s));
}
void invalid_utf8(Context& c) {
  refused_id(c, c.exactly("\xff"));
  refused_id(c, c.exactly("a\xED\xA0\x80"));
}

void path_like(Context& c) {
  are_distinct(c, {"..", ".", "...", "../x", "../../x", "/etc/x", "/", "a/b", "a\\b", "b", "x", "./x",
                   ".hidden", "C:\\x", "~", "-rf", "sessions/x", "agents", "locks"});
}

void spaces_and_controls(Context& c) {
  are_distinct(
      c, {" ", "  ", "a b", "a  b", " a", "a ", "a", "a\n", "\na", "a\tb", "a\rb", "\x01", "\x7f", "\x1b[31m",
          "a\xC2\xA0"
          "b"});
}

void case_variants(Context& c) {
  are_distinct(c, {"A", "a", "Straße", "STRASSE", "Ab", "aB", "AB", "ab"});
}

void normal_forms(Context& c) {
  are_distinct(c, {"caf\xC3\xA9", "cafe\xCC\x81", "\xEF\xAC\x81", "fi", "\xE2\x84\xAA", "K"});
}

void file_suffixes(Context& c) {
  are_distinct(c, {"x", "x.json", "x.lock", "x.json.lock", "x.tmp", "x.json.tmp", "x.jsonl", "x.jsonl.lock",
                   ".lock", ".json", "x.json.json"});
}

void percent_signs(Context& c) {
  are_distinct(c, {"%", "%2e", "%2E", "%%", "%252e", ".", "%00", "%2f", "%2F", "/", "%~", "%-", "a%20b",
                   "a b", "a+b"});
}

void emoji(Context& c) {
  are_distinct(c, {"\xF0\x9F\xA6\x91", "\xF0\x9F\xA6\x90", "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB",
                   "a\xE2\x80\xA8"});
}

void long_tails(Context& c) {
  const std::string head(180, 'h');
  const std::string slashes(190, '/');
  are_distinct(c, {head, head + "a", head + "b", head + "ab", std::string(199, 'h') + "1",
                   std::string(199, 'h') + "2", slashes, slashes + "1", slashes + "2"});
}

void order_by_bytes(Context& c) {
  Subject& store = c.open();
  const std::string prefix = c.id().str();
  std::vector<std::string> ids;
  for (const char* tail :
       {"Z", "a", "\xC3\xA9", "~", "_", "-", "10", "9", "\xF0\x9F\xA6\x91", "\xEF\xBF\xBF", "a ", "aa"}) {
    ids.push_back(c.id(tail).str());
    c.get("saving", store.save(Session(ids.back()).set_agent(c.agent())));
  }
  std::sort(ids.begin(), ids.end());  // std::string compares as unsigned bytes
  expect_equal("the ids in order", c.walk(store, ListQuery().agent(c.agent()).order(Order::id).limit(5)),
               ids);
}

void agents(Context& c) {
  Subject& store = c.open();
  const std::vector<std::string> agents = {"../x",
                                           "a/b",
                                           "\xF0\x9F\xA6\x91",
                                           "Agent",
                                           "agent",
                                           "x.json",
                                           " ",
                                           "%2f",
                                           "/",
                                           std::string(200, 'a'),
                                           std::string(199, 'a')};
  std::map<std::string, std::string> ids;
  for (const std::string& agent : agents) {
    ids[agent] = c.id(std::to_string(ids.size())).str();
    c.get("saving for the agent " + show(agent), store.save(Session(ids[agent]).set_agent(agent)));
  }
  for (const std::string& agent : agents) {
    const AgentSessions page = c.get("list_for_agent", store.list_for_agent(agent));
    expect_equal("the number of sessions of the agent " + show(agent), page.items.size(), 1u);
    expect_equal("the session of the agent " + show(agent), page.items.front()->id.str(), ids[agent]);
    expect_equal("its agent", page.items.front()->agent_id.str(), agent);
  }
}

void refused_agents(Context& c) {
  Subject& store = c.open();
  for (const std::string& agent : {std::string(201, 'a'), "a\0b"s, "\xff"s}) {
    const Session session = c.session().set_agent(agent);
    c.refuse("saving for the agent " + show(agent), Errc::invalid_argument, store.save(session));
    c.absent(store, session.id);
    c.refuse("list_for_agent of " + show(agent), Errc::invalid_argument, store.list_for_agent(agent));
    c.refuse("list of the agent " + show(agent), Errc::invalid_argument,
             store.list(ListQuery().agent(agent)));
  }
}

}  // namespace

std::vector<Entry> ids_behaviours() {
  return {
      {"ids.one_to_200_bytes", "Ids of 1 and of 200 bytes work", one_to_200_bytes},
      {"ids.too_long", "An id of 201 bytes is refused by every operation", too_long},
      {"ids.empty", "An empty id is refused by every operation", empty},
      {"ids.nul", "An id with a NUL is refused by every operation", nul},
      {"ids.invalid_utf8", "An id that is not UTF-8 is refused by every operation", invalid_utf8},
      {"ids.path_like", "Ids that look like paths are ids", path_like},
      {"ids.spaces_and_controls", "Spaces and control characters in ids count", spaces_and_controls},
      {"ids.case_variants", "Ids that differ in case are different", case_variants},
      {"ids.normal_forms", "Ids that differ in their Unicode normal form are different", normal_forms},
      {"ids.file_suffixes", "Ids that end like a store's own files are ids", file_suffixes},
      {"ids.percent_signs", "Percent signs in ids are not decoded", percent_signs},
      {"ids.emoji", "Ids of emoji are different", emoji},
      {"ids.long_tails", "Ids that differ after 180 bytes are different", long_tails},
      {"ids.order_by_bytes", "Ids are ordered by their unsigned bytes", order_by_bytes},
      {"ids.agents", "Agents are told apart as ids are", agents},
      {"ids.refused_agents", "An agent of 201 bytes, with a NUL or invalid UTF-8 is refused", refused_agents},
  };
}

}  // namespace sessile::conformance
