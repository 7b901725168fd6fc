// What is removed is gone, once.
#include "conformance/suite.hpp"

namespace sessile::conformance {
namespace {

void unknown(Context& c) {
  Subject& store = c.open();
  const SessionId id = c.id("unknown");
  const Error error = c.refuse("removing an unknown id", Errc::not_found, store.remove(id));
  expect_equal("the key of the error", error.key(), id.str());
}

void twice(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  c.get("removing", store.remove(session.id));
  c.absent(store, session.id);
  c.refuse("removing again", Errc::not_found, store.remove(session.id));
}

void gone_from_lists(Context& c) {
  Subject& store = c.open();
  const Session one = c.saved(store, "1"), two = c.saved(store, "2");
  c.get("removing", store.remove(one.id));
  const std::vector<std::string> left(1, two.id.str());
  expect_equal("the ids listed", c.walk(store, ListQuery().agent(c.agent())), left);
  const AgentSessions page = c.get("list_for_agent", store.list_for_agent(c.agent()));
  expect_equal("the number of the agent's sessions", page.items.size(), 1u);
  expect_equal("the agent's session", page.items.front()->id, two.id);
}

void if_revision(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision stored = c.load(store, session.id).revision;
  const Error error = c.refuse("removing another revision", Errc::conflict,
                               store.remove(session.id, RemoveOptions().if_revision(stored + 1)));
  expect_equal("the revision expected", error.expected(), std::optional(stored + 1));
  expect_equal("the revision found", error.actual(), std::optional(stored));
  same_session("the session after the conflict", c.load(store, session.id), session);
  c.get("removing that revision", store.remove(session.id, RemoveOptions().if_revision(stored)));
  c.absent(store, session.id);
}

void if_absent(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision stored = c.load(store, session.id).revision;
  const RemoveOptions absent = RemoveOptions().if_revision(RevisionCheck::absent());
  const Error error =
      c.refuse("removing what must not be there", Errc::conflict, store.remove(session.id, absent));
  expect_equal("the revision expected", error.expected(), std::optional<Revision>());
  expect_equal("the revision found", error.actual(), std::optional(stored));
  const Session left = c.load(store, session.id);
  same_session("the session after the conflict", left, session);
  expect_equal("the revision after the conflict", left.revision, stored);
  c.refuse("removing what is not there", Errc::not_found, store.remove(c.id("missing"), absent));
}

using Count = std::shared_ptr<std::atomic<int>>;

asio::awaitable<void> remove_any(Subject* store, SessionId id, Count winners) {
  const Result<void> removed = co_await store->remove(id);
  if (removed) {
    ++*winners;
  } else {
    refused("removing what is removed", Errc::not_found, removed);
  }
}

void race(Context& c) {
  Subject& store = c.open();
  for (int round = 0; round < 10; ++round) {
    const Session session = c.saved(store, std::to_string(round));
    const Count winners = std::make_shared<std::atomic<int>>(0);
    std::vector<asio::awaitable<void>> work;
    for (int i = 0; i < 8; ++i)
      work.push_back(remove_any(&store, session.id, winners));
    c.together(std::move(work));
    expect_equal("how many of 8 removed the session", winners->load(), 1);
  }
}

asio::awaitable<void> remove_exactly(Subject* store, SessionId id, Revision revision, Count winners) {
  RemoveOptions options;
  options.if_revision(revision);
  if (co_await store->remove(id, options)) ++*winners;
}

asio::awaitable<void> save_exactly(Subject* store, Session session, Revision revision, Count winners) {
  SaveOptions options;
  options.if_revision(revision);
  if (co_await store->save(std::move(session), options)) ++*winners;
}

void race_with_save(Context& c) {
  Subject& store = c.open();
  for (int round = 0; round < 20; ++round) {
    const Session session = c.saved(store, std::to_string(round));
    const Revision revision = c.load(store, session.id).revision;
    const Count winners = std::make_shared<std::atomic<int>>(0),
                removers = std::make_shared<std::atomic<int>>(0);
    std::vector<asio::awaitable<void>> work;
    for (int i = 0; i < 3; ++i) {
      work.push_back(save_exactly(&store, session, revision, winners));
      work.push_back(remove_exactly(&store, session.id, revision, removers));
    }
    c.together(std::move(work));
    expect_equal("how many of 6 saved or removed one revision", *winners + *removers, 1);
    if (*removers) {
      c.absent(store, session.id);
    } else {
      expect_equal("the revision saved", c.load(store, session.id).revision, revision + 1);
    }
  }
}

}  // namespace

std::vector<Entry> remove_behaviours() {
  return {
      {"remove.unknown", "Removing an unknown id is not_found and names the id", unknown},
      {"remove.twice", "A removed session is not found, and cannot be removed again", twice},
      {"remove.gone_from_lists", "A removed session is in no listing", gone_from_lists},
      {"remove.if_revision", "A removal that expects another revision is refused", if_revision},
      {"remove.if_absent", "A removal that expects no session is refused where there is one", if_absent},
      {"remove.race_has_one_winner", "Of many who remove one session exactly one succeeds", race},
      {"remove.race_with_save", "Of saves and removals of one revision exactly one succeeds", race_with_save},
  };
}

}  // namespace sessile::conformance
