// Creation is atomic, and loading what is not there says so.
#include "conformance/suite.hpp"

namespace sessile::conformance {
namespace {

asio::awaitable<void> create_one(Subject* store, Session session, std::shared_ptr<std::atomic<int>> winners) {
  const Result<Written> written = co_await store->save(std::move(session), SaveOptions().if_absent());
  if (written) {
    ++*winners;
  } else {
    refused("creating what is there", Errc::conflict, written);
  }
}

void race(Context& c) {
  Subject& store = c.open();
  for (int round = 0; round < 10; ++round) {
    const Session session = c.session(std::to_string(round));
    const auto winners = std::make_shared<std::atomic<int>>(0);
    std::vector<asio::awaitable<void>> work;
    for (int i = 0; i < 16; ++i) {
      work.push_back(create_one(&store, Session(session).set_title(std::to_string(i)), winners));
    }
    c.together(std::move(work));
    expect_equal("how many of 16 created the session", winners->load(), 1);
  }
}

void if_absent(Context& c) {
  Subject& store = c.open();
  const Session session = c.session();
  c.get("creating", store.save(session, SaveOptions().if_absent()));
  c.refuse("creating again", Errc::conflict,
           store.save(Session(session).set_title("x"), SaveOptions().if_absent()));
  same_session("the session first created", c.load(store, session.id), session);
}

void after_remove(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  c.get("removing", store.remove(session.id));
  c.get("creating what was removed", store.save(session, SaveOptions().if_absent()));
  same_session("the session made again", c.load(store, session.id), session);
}

void unknown(Context& c) {
  Subject& store = c.open();
  const SessionId id = c.id("unknown");
  const Error error = c.refuse("loading an unknown id", Errc::not_found, store.load(id));
  expect_equal("the key of the error", error.key(), id.str());
}

}  // namespace

std::vector<Entry> create_behaviours() {
  return {
      {"create.if_absent", "Creating what is there is a conflict and changes nothing", if_absent},
      {"create.race_has_one_winner", "Of many who create one session exactly one succeeds", race},
      {"create.after_remove", "A removed session can be created again", after_remove},
      {"load.unknown", "Loading an unknown id is not_found and names the id", unknown},
  };
}

}  // namespace sessile::conformance
