// What a store that was opened anew finds.
#include "conformance/suite.hpp"

namespace sessile::conformance {
namespace {

void everything_is_there(Context& c) {
  Subject& store = c.open();
  Session session = c.session().set_title("t").set_user("u").set_metadata("k", json::array{1, "x", nullptr});
  session.extra["unknown"] = true;
  session.trajectory.push_back(TrajectoryStep("tool"));
  c.get("save", store.save(session));
  c.get("append", store.append(session.id, Message("assistant", "appended")));
  c.get("update", store.update(session.id, [](Session& s) { s.set_project("p"); }));
  session.set_project("p").add_message("assistant", "appended");
  const Session before = c.load(store, session.id);
  Subject& again = c.reopen();
  const Session after = c.load(again, session.id);
  same_session("the session in the reopened store", after, session);
  expect_equal("created_at", after.created_at, before.created_at);
  expect_equal("updated_at", after.updated_at, before.updated_at);
  expect_equal("the ids listed", c.walk(again, ListQuery().agent(c.agent())),
               std::vector<std::string>(1, session.id.str()));
  expect_equal("the agent's sessions", c.get("list_for_agent", again.list_for_agent(c.agent())).items.size(),
               1u);
}

void revisions_go_on(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision before = c.get("save", store.save(session)).revision;
  Subject& again = c.reopen();
  expect_equal("the revision in the reopened store", c.load(again, session.id).revision, before);
  const Written written =
      c.get("saving over that revision", again.save(session, SaveOptions().if_revision(before)));
  expect_equal("the next revision", written.revision, before + 1);
}

void removed_stays_removed(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  c.get("remove", store.remove(session.id));
  Subject& again = c.reopen();
  c.absent(again, session.id);
  expect_equal("the ids listed", c.walk(again, ListQuery().agent(c.agent())), std::vector<std::string>());
}

}  // namespace

std::vector<Entry> reopen_behaviours() {
  return {
      {"reopen.everything_is_there", "A reopened store has what was acknowledged", everything_is_there},
      {"reopen.revisions_go_on", "Revisions go on in a reopened store", revisions_go_on},
      {"reopen.removed_stays_removed", "What was removed stays removed in a reopened store",
       removed_stays_removed},
  };
}

}  // namespace sessile::conformance
