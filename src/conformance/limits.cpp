// Limits: crossing one is too_large, and nothing is written.
#include "conformance/suite.hpp"

namespace sessile::conformance {
namespace {

OpenOptions with(Limits limits) {
  return OpenOptions().limits(limits);
}

Limits small() {
  Limits limits;
  limits.message_bytes = 1000;
  limits.session_bytes = 3000;
  limits.depth = 10;
  return limits;
}

/// Refuses `session` as new and over a stored one, both without a trace.
void too_large(Context& c, Limits limits, Session session) {
  Subject& store = c.open(with(limits));
  c.refuse("saving what is over the limit", Errc::too_large, store.save(session));
  c.absent(store, session.id);
  const Session kept = c.saved(store, "kept");
  session.id = kept.id;
  c.refuse("saving it over a session", Errc::too_large, store.save(session));
  same_session("the session stored before", c.load(store, kept.id), kept);
}

void message(Context& c) {
  too_large(c, small(), c.session().add_message("user", as_json(std::string(1001, 'x'))));
}

void session(Context& c) {
  Session session = c.session();
  for (int i = 0; i < 5; ++i)
    session.add_message("user", as_json(std::string(700, 'x')));
  too_large(c, small(), session);
}

void depth(Context& c) {
  json::value deep = 1;
  for (int i = 0; i < 20; ++i) {
    json::array array;
    array.push_back(std::move(deep));
    deep = std::move(array);
  }
  too_large(c, small(), c.session().set_metadata("deep", deep));
}

void append(Context& c) {
  Subject& store = c.open(with(small()));
  Session session = c.saved(store);
  c.refuse("appending a message over the limit", Errc::too_large,
           store.append(session.id, Message("user", as_json(std::string(1001, 'x')))));
  same_session("the session after the refusal", c.load(store, session.id), session);
  for (int i = 0; i < 3; ++i) {
    c.get("append", store.append(session.id, Message("user", as_json(std::string(800, 'x')))));
    session.add_message("user", as_json(std::string(800, 'x')));
  }
  c.refuse("appending over the limit of a session", Errc::too_large,
           store.append(session.id, Message("user", as_json(std::string(800, 'x')))));
  same_session("the session after four appends", c.load(store, session.id), session);
}

void update(Context& c) {
  Subject& store = c.open(with(small()));
  const Session session = c.saved(store);
  const std::vector<Mutation> mutations = {
      [](Session& s) { s.add_message("user", as_json(std::string(1001, 'x'))); },
      [](Session& s) {
        for (int i = 0; i < 5; ++i)
          s.add_message("user", as_json(std::string(700, 'x')));
      }};
  for (const Mutation& mutation : mutations) {
    c.refuse("an update over a limit", Errc::too_large, store.update(session.id, mutation));
    same_session("the session after the refusal", c.load(store, session.id), session);
  }
}

void exactly_at(Context& c) {
  Session session = c.session().add_message("user", as_json(std::string(500, 'x')));
  Limits limits;
  limits.message_bytes = need("measuring", measure(session.messages.back(), Limits()));
  limits.session_bytes = need("measuring", measure(session, Limits()));
  Subject& store = c.open(with(limits));
  c.get("saving what is just within the limits", store.save(session));
  session.messages.back().content.as_string().append("x");
  session.messages.front().content = "hell";
  c.refuse("saving a message of one byte more", Errc::too_large, store.save(session));
}

/// What is appended counts as what is saved, and what could be stored can be saved again.
void appended(Context& c) {
  const Session one = c.session().add_message("user", as_json("hello"));
  const Message more("assistant", as_json(std::string(500, 'x')));
  Session both = one;
  both.messages.push_back(more);
  Limits limits;
  limits.session_bytes = need("measuring", measure(both, Limits()));

  Subject& store = c.open(with(limits));
  c.get("saving the session", store.save(one));
  c.get("appending up to the limit", store.append(one.id, more));
  const Session full = c.load(store, one.id);
  same_session("the session at its limit", full, both);
  c.refuse("appending one message more", Errc::too_large, store.append(one.id, Message("user", as_json(""))));
  c.get("saving again what was loaded", store.save(full));
  const Mutation lengthen = [](Session& session) { session.messages.back().content.as_string().append("x"); };
  c.refuse("an update that makes it a byte longer", Errc::too_large, store.update(one.id, lengthen));

  Session second = one;
  second.id = c.id("second");
  both.id = second.id;
  limits.session_bytes = need("measuring", measure(both, Limits())) - 1;
  Subject& narrower = c.open(with(limits));
  c.get("saving another session", narrower.save(second));
  c.refuse("appending a byte too many", Errc::too_large, narrower.append(second.id, more));
}

void names(Context& c) {
  Subject& store = c.open();
  const Session good = c.session("good").set_user(std::string(1024, 'u')).set_project(std::string(1024, 'p'));
  c.get("saving a user and a project of 1,024 bytes", store.save(good));
  same_session("the session loaded", c.load(store, good.id), good);
  for (const bool user : {true, false}) {
    Session bad = c.session("bad");
    (user ? bad.user_id : bad.project_id) = std::string(1025, 'x');
    c.refuse("saving a user or project of 1,025 bytes", Errc::invalid_argument, store.save(bad));
    c.absent(store, bad.id);
  }
}

}  // namespace

std::vector<Entry> limits_behaviours() {
  return {
      {"limits.message", "A message over the limit is refused and nothing is written", message},
      {"limits.session", "A session over the limit is refused and nothing is written", session},
      {"limits.depth", "JSON nested too deeply is refused and nothing is written", depth},
      {"limits.append", "An append that would cross a limit is refused and nothing is written", append},
      {"limits.update", "An update that would cross a limit is refused and nothing is written", update},
      {"limits.exactly_at", "What is exactly at the limits is accepted", exactly_at},
      {"limits.appended", "What is appended counts against the limit as what is saved", appended},
      {"limits.names", "User and project are at most 1,024 bytes", names},
  };
}

}  // namespace sessile::conformance
