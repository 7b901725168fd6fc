// A session that cannot be read: said so, never hidden, never overwritten, and no harm to the others.
#include "conformance/suite.hpp"

#include <algorithm>

namespace sessile::conformance {
namespace {

/// Three sessions, the second of which cannot be read.
class Damaged {
 public:
  explicit Damaged(Context& c) {
    Subject& first = c.open();
    for (const char* suffix : {"1", "2", "3"})
      sessions.push_back(c.saved(first, suffix));
    c.drop(first);
    c.corrupt(sessions[1].id);
    store = &c.open();
  }
  const SessionId& id() const { return sessions[1].id; }

  std::vector<Session> sessions;
  Subject* store = nullptr;
};

std::vector<std::string> readable(const Damaged& d) {
  std::vector<std::string> ids = {d.sessions[0].id.str(), d.sessions[2].id.str()};
  std::sort(ids.begin(), ids.end());
  return ids;
}

void load(Context& c) {
  Damaged d(c);
  const Error error = c.refuse("loading a corrupt session", Errc::corrupt, d.store->load(d.id()));
  expect_equal("the key of the error", error.key(), d.id().str());
  same_session("another session", c.load(*d.store, d.sessions[0].id), d.sessions[0]);
}

void list_goes_on(Context& c) {
  Damaged d(c);
  expect_equal("the readable ids listed", c.walk(*d.store, ListQuery().agent(c.agent()).order(Order::id)),
               readable(d));
}

void list_reports(Context& c) {
  Damaged d(c);
  const Page<SessionSummary> page = c.get("listing", d.store->list(ListQuery().order(Order::id)));
  expect("the corrupt session in Page::unreadable", !page.unreadable.empty(), "nothing");
  expect("its error to be corrupt", page.unreadable.front().code() == Errc::corrupt,
         show(page.unreadable.front()));
  expect("its error to say which",
         !page.unreadable.front().key().empty() || !page.unreadable.front().path().empty(),
         "an error without key and path");
  const Page<SessionSummary> first =
      c.get("a page of one", d.store->list(ListQuery().order(Order::id).limit(1)));
  expect_equal("what is unreadable, on the first of several pages", first.unreadable.size(),
               page.unreadable.size());
  const Page<SessionSummary> second =
      c.get("the next page", d.store->list(ListQuery().order(Order::id).limit(1).cursor(first.next)));
  expect_equal("what is unreadable, on the second page", second.unreadable.size(), 0u);
}

void list_for_agent_goes_on(Context& c) {
  Damaged d(c);
  const AgentSessions page = c.get("list_for_agent", d.store->list_for_agent(c.agent()));
  std::vector<std::string> ids;
  for (const SessionPtr& session : page.items)
    ids.push_back(session->id.str());
  std::sort(ids.begin(), ids.end());
  expect_equal("the readable sessions of the agent", ids, readable(d));
}

/// A write over a corrupt session is refused, and what is stored stays as it is.
template <class T>
void refused_and_kept(Context& c, Damaged& d, std::string_view what, Async<T> operation) {
  c.refuse(what, Errc::corrupt, std::move(operation));
  c.refuse("loading it then", Errc::corrupt, d.store->load(d.id()));
}

void save_refused(Context& c) {
  Damaged d(c);
  refused_and_kept(c, d, "saving over a corrupt session", d.store->save(d.sessions[1]));
}

void create_refused(Context& c) {
  Damaged d(c);
  const Result<Written> written = c.run(d.store->save(d.sessions[1], SaveOptions().if_absent()));
  if (written) fail("creating over a corrupt session", "corrupt or conflict", "success");
  const Errc code = written.error().code();
  expect("creating over a corrupt session to be corrupt or conflict",
         code == Errc::corrupt || code == Errc::conflict, show(written.error()));
  c.refuse("loading it then", Errc::corrupt, d.store->load(d.id()));
}

void append_refused(Context& c) {
  Damaged d(c);
  refused_and_kept(c, d, "appending to a corrupt session", d.store->append(d.id(), Message("user", "x")));
}

void update_refused(Context& c) {
  Damaged d(c);
  refused_and_kept(c, d, "updating a corrupt session",
                   d.store->update(d.id(), [](Session& s) { s.set_title("x"); }));
}

void remove_is_truthful(Context& c) {
  Damaged d(c);
  const Result<void> removed = c.run(d.store->remove(d.id()));
  if (removed) {
    c.absent(*d.store, d.id());
  } else {
    refused("removing a corrupt session", Errc::corrupt, removed);
    c.refuse("loading what was not removed", Errc::corrupt, d.store->load(d.id()));
  }
}

}  // namespace

std::vector<Entry> corruption_behaviours() {
  return {
      {"corruption.load", "Loading a corrupt session is corrupt, not not_found", load},
      {"corruption.list_goes_on", "A corrupt session does not keep the others from a listing", list_goes_on},
      {"corruption.list_reports", "A listing reports a corrupt session once, on its first page",
       list_reports},
      {"corruption.list_for_agent_goes_on", "A corrupt session does not keep an agent's others back",
       list_for_agent_goes_on},
      {"corruption.save_refused", "A save does not overwrite a corrupt session", save_refused},
      {"corruption.create_refused", "A corrupt session still takes its id", create_refused},
      {"corruption.append_refused", "An append does not touch a corrupt session", append_refused},
      {"corruption.update_refused", "An update does not touch a corrupt session", update_refused},
      {"corruption.remove_is_truthful", "Removing a corrupt session removes it or says why not",
       remove_is_truthful},
  };
}

}  // namespace sessile::conformance
