// Sessions loaded in part.
#include "conformance/suite.hpp"

namespace sessile::conformance {
namespace {

Session save_ten(Context& c, Subject& store) {
  Session session = Session(c.id()).set_agent(c.agent()).set_title("t").set_metadata("k", 1);
  session.trajectory.push_back(TrajectoryStep("tool"));
  session.extra["unknown"] = true;
  for (int i = 0; i < 10; ++i)
    session.add_message("user", i);
  c.get("save", store.save(session));
  return session;
}

void last_messages(Context& c) {
  Subject& store = c.open();
  const Session session = save_ten(c, store);
  for (const std::uint64_t count : {1u, 3u, 9u}) {
    const SessionPtr part = c.get("load", store.load(session.id, LoadOptions().last_messages(count)));
    expect_equal("the number of messages", part->messages.size(), count);
    same_json("the first of the last messages", part->messages.front().content, 10 - count);
    same_json("the last message", part->messages.back().content, 9);
    expect_equal("completeness", part->completeness, Completeness::partial);
    expect_equal("omitted_messages", part->omitted_messages, 10 - count);
  }
}

void without_messages(Context& c) {
  Subject& store = c.open();
  const Session session = save_ten(c, store);
  const SessionPtr part = c.get("load", store.load(session.id, LoadOptions().without_messages()));
  expect_equal("the number of messages", part->messages.size(), 0u);
  expect_equal("completeness", part->completeness, Completeness::partial);
  expect_equal("omitted_messages", part->omitted_messages, 10u);
}

void whole_when_nothing_is_left_out(Context& c) {
  Subject& store = c.open();
  const Session session = save_ten(c, store);
  for (const std::uint64_t count : {std::uint64_t{10}, std::uint64_t{11}, UINT64_MAX}) {
    const SessionPtr whole = c.get("load", store.load(session.id, LoadOptions().last_messages(count)));
    same_session("the session loaded", *whole, session);
    expect_equal("omitted_messages", whole->omitted_messages, 0u);
  }
}

void keeps_the_rest(Context& c) {
  Subject& store = c.open();
  Session session = save_ten(c, store);
  const SessionPtr part = c.get("load", store.load(session.id, LoadOptions().last_messages(2)));
  expect_equal("the revision", part->revision, c.load(store, session.id).revision);
  session.messages.erase(session.messages.begin(), session.messages.end() - 2);
  session.completeness = Completeness::partial;
  same_session("the session loaded in part", *part, session);
}

void cannot_be_saved(Context& c) {
  Subject& store = c.open();
  const Session session = save_ten(c, store);
  const SessionPtr part = c.get("load", store.load(session.id, LoadOptions().last_messages(2)));
  c.refuse("saving what was loaded in part", Errc::invalid_argument, store.save(*part));
  same_session("the session stored", c.load(store, session.id), session);
}

}  // namespace

std::vector<Entry> partial_behaviours() {
  return {
      {"partial.last_messages", "The last messages alone can be loaded, marked as a part", last_messages},
      {"partial.without_messages", "A session can be loaded without its messages", without_messages},
      {"partial.whole", "A load that leaves nothing out is whole", whole_when_nothing_is_left_out},
      {"partial.keeps_the_rest", "A partial load has all but the messages left out", keeps_the_rest},
      {"partial.cannot_be_saved", "A session loaded in part cannot be saved", cannot_be_saved},
  };
}

}  // namespace sessile::conformance
