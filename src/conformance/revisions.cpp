// Revisions, compare-and-swap, and the times a store stamps.
#include "conformance/suite.hpp"

namespace sessile::conformance {
namespace {

using std::chrono::microseconds;

void first_is_creation_time(Context& c) {
  const auto clock = std::make_shared<ManualClock>();
  Subject& store = c.open(OpenOptions().clock(clock));
  const Session session = c.session();
  const Written written = c.get("the first save", store.save(session));
  expect_equal("the first revision", written.revision, clock->now().time_since_epoch().count());
  expect_equal("created_at", written.created_at, Timestamp(clock->now()));
  expect_equal("the revision loaded", c.load(store, session.id).revision, written.revision);
}

void raised_by_one(Context& c) {
  Subject& store = c.open();
  const Session session = c.session();
  const Revision first = c.get("the first save", store.save(session)).revision;
  expect_equal("the revision of a second save", c.get("save", store.save(session)).revision, first + 1);
  expect_equal("the revision of an append",
               c.get("append", store.append(session.id, Message("user", "x"))).revision, first + 2);
  const SessionPtr updated = c.get("update", store.update(session.id, [](Session& s) { s.set_title("t"); }));
  expect_equal("the revision of an update", updated->revision, first + 3);
  expect_equal("the revision loaded", c.load(store, session.id).revision, first + 3);
}

void if_number(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision stored = c.load(store, session.id).revision;
  Session changed = session;
  changed.set_title("changed");
  for (const Revision wrong : {stored + 1000, Revision{1}}) {
    c.refuse("saving if another revision is stored", Errc::conflict,
             store.save(changed, SaveOptions().if_revision(wrong)));
    same_session("the session after the conflict", c.load(store, session.id), session);
  }
  const Written written =
      c.get("saving if that revision is stored", store.save(changed, SaveOptions().if_revision(stored)));
  expect_equal("the revision", written.revision, stored + 1);
  same_session("the session after the swap", c.load(store, session.id), changed);
}

void conflict_tells(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision stored = c.load(store, session.id).revision;
  Error error =
      c.refuse("saving", Errc::conflict, store.save(session, SaveOptions().if_revision(stored + 7)));
  expect_equal("the revision expected", error.expected(), std::optional(stored + 7));
  expect_equal("the revision found", error.actual(), std::optional(stored));
  error = c.refuse("creating over", Errc::conflict, store.save(session, SaveOptions().if_absent()));
  expect_equal("the revision expected by create", error.expected(), std::optional<Revision>());
  expect_equal("the revision found by create", error.actual(), std::optional(stored));
}

void number_on_missing(Context& c) {
  Subject& store = c.open();
  const Session session = c.session();
  const Error error = c.refuse("saving if revision 5 is stored", Errc::conflict,
                               store.save(session, SaveOptions().if_revision(5)));
  expect_equal("the revision expected", error.expected(), std::optional<Revision>(5));
  expect_equal("the revision found", error.actual(), std::optional<Revision>());
  c.absent(store, session.id);
}

void ignored_by_save(Context& c) {
  Subject& store = c.open();
  Session session = c.saved(store);
  const Revision first = c.load(store, session.id).revision;
  session.revision = 12345;
  expect_equal("the revision after saving a value of revision 12345",
               c.get("save", store.save(session)).revision, first + 1);
}

void unchanged_since(Context& c) {
  Subject& store = c.open();
  const Session fresh = c.session();
  c.get("saving what was never stored", store.save(fresh, SaveOptions().unchanged_since(fresh)));
  c.refuse("saving it again", Errc::conflict, store.save(fresh, SaveOptions().unchanged_since(fresh)));
  const Session loaded = c.load(store, fresh.id);
  c.get("saving what was loaded", store.save(loaded, SaveOptions().unchanged_since(loaded)));
  c.refuse("saving what is one revision behind", Errc::conflict,
           store.save(loaded, SaveOptions().unchanged_since(loaded)));
}

void recreated(Context& c) {
  Subject& store = c.open(OpenOptions().clock(std::make_shared<ManualClock>()));
  const Session session = c.session();
  Revision last = 0;
  for (int round = 0; round < 4; ++round) {
    const Revision first = c.get("creating", store.save(session, SaveOptions().if_absent())).revision;
    expect("a revision above " + show(last) + " of a session made again", first > last, show(first));
    c.get("saving", store.save(session));
    last = c.get("saving", store.save(session)).revision;
    c.get("removing", store.remove(session.id));
  }
}

void still_clock(Context& c) {
  const auto clock = std::make_shared<ManualClock>();
  Subject& store = c.open(OpenOptions().clock(clock));
  const Session session = c.session();
  const TimePoint start = clock->now();
  for (int write = 0; write < 3; ++write) {
    expect_equal("updated_at on a clock that stands still", c.get("save", store.save(session)).updated_at,
                 Timestamp(start + microseconds(write)));
  }
  clock->advance(microseconds(1000));
  expect_equal("updated_at when the clock moved", c.get("save", store.save(session)).updated_at,
               Timestamp(clock->now()));
}

void backward_clock(Context& c) {
  const auto clock = std::make_shared<ManualClock>();
  Subject& store = c.open(OpenOptions().clock(clock));
  const Session session = c.session();
  const TimePoint start = clock->now();
  c.get("save", store.save(session));
  clock->advance(-std::chrono::hours(1));
  expect_equal("updated_at of a save on a clock that went back",
               c.get("save", store.save(session)).updated_at, Timestamp(start + microseconds(1)));
  expect_equal("updated_at of an append on it",
               c.get("append", store.append(session.id, Message("user", "x"))).updated_at,
               Timestamp(start + microseconds(2)));
  const SessionPtr updated = c.get("update", store.update(session.id, [](Session& s) { s.set_title("t"); }));
  expect_equal("updated_at of an update on it", updated->updated_at, Timestamp(start + microseconds(3)));
}

void created_stays(Context& c) {
  const auto clock = std::make_shared<ManualClock>();
  Subject& store = c.open(OpenOptions().clock(clock));
  Session session = c.session();
  const Timestamp created = c.get("save", store.save(session)).created_at;
  expect_equal("created_at", created, Timestamp(clock->now()));
  clock->advance(std::chrono::hours(1));
  session.created_at = clock->now();
  expect_equal("created_at of a second save", c.get("save", store.save(session)).created_at, created);
  expect_equal("created_at of an append",
               c.get("append", store.append(session.id, Message("user", "x"))).created_at, created);
  c.get("update", store.update(session.id, [](Session& s) { s.set_title("t"); }));
  expect_equal("created_at loaded", c.load(store, session.id).created_at, created);
}

void preserve(Context& c) {
  Subject& store = c.open();
  Session session = c.session();
  session.created_at = TimePoint(microseconds(1'500'000'000'000'001));
  session.updated_at = TimePoint(microseconds(1'600'000'000'000'002));
  c.get("save", store.save(session, SaveOptions().times(Times::preserve)));
  Session loaded = c.load(store, session.id);
  expect_equal("created_at of an import", loaded.created_at, session.created_at);
  expect_equal("updated_at of an import", loaded.updated_at, session.updated_at);
  session.created_at = TimePoint(microseconds(1'500'000'000'000'003));
  session.updated_at = TimePoint(microseconds(1'600'000'000'000'004));
  c.get("save", store.save(session, SaveOptions().times(Times::preserve)));
  loaded = c.load(store, session.id);
  expect_equal("created_at of a second import", loaded.created_at, session.created_at);
  expect_equal("updated_at of a second import", loaded.updated_at, session.updated_at);
}

void written_is_stored(Context& c) {
  Subject& store = c.open();
  const Session session = c.session();
  const auto is_stored = [&](const Written& written) {
    const Session loaded = c.load(store, session.id);
    expect_equal("the revision returned", written.revision, loaded.revision);
    expect_equal("created_at returned", written.created_at, loaded.created_at);
    expect_equal("updated_at returned", written.updated_at, loaded.updated_at);
    expect("what was written not to be a replay", !written.replayed);
  };
  is_stored(c.get("save", store.save(session)));
  is_stored(c.get("save", store.save(session)));
  is_stored(c.get("append", store.append(session.id, Message("user", "x"))));
}

}  // namespace

std::vector<Entry> revisions_behaviours() {
  return {
      {"revisions.first_is_creation_time", "The first revision is the creation time in microseconds",
       first_is_creation_time},
      {"revisions.raised_by_one", "Save, append and update raise the revision by one", raised_by_one},
      {"revisions.if_number", "A save that expects another revision is refused", if_number},
      {"revisions.conflict_tells", "A conflict tells the revisions expected and found", conflict_tells},
      {"revisions.number_on_missing", "A save that expects a revision does not create", number_on_missing},
      {"revisions.ignored_by_save", "Save ignores Session::revision unless asked to look", ignored_by_save},
      {"revisions.unchanged_since", "A save of what changed since it was loaded is refused", unchanged_since},
      {"revisions.recreated", "A session removed and made again never repeats a revision", recreated},
      {"times.still_clock", "updated_at moves on a clock that stands still", still_clock},
      {"times.backward_clock", "updated_at moves on a clock that goes back", backward_clock},
      {"times.created_stays", "created_at stays what it first was", created_stays},
      {"times.preserve", "Times::preserve keeps both times of an import", preserve},
      {"times.written_is_stored", "What a write returns is what is stored", written_is_stored},
  };
}

}  // namespace sessile::conformance
