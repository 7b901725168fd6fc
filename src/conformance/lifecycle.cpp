// Opening, closing, observing; what a store was opened with holds.
#include "conformance/suite.hpp"

#include <boost/asio/steady_timer.hpp>

#include <mutex>

namespace sessile::conformance {
namespace {

void handle_dropped(Context& c) {
  Subject* store = &c.open();
  const auto written = std::make_shared<std::atomic<int>>(0);
  const auto done = std::make_shared<std::atomic<int>>(0);
  for (int i = 0; i < 20; ++i) {
    store->save_then(c.session(std::to_string(i)), c.io().get_executor(),
                     [written, done](Result<Written> result) {
                       if (result) ++*written;
                       ++*done;
                     });
  }
  c.drop(*store);
  c.run_until([done] { return done->load() == 20; });
  expect_equal("saves that succeeded though the handle was dropped", written->load(), 20);
}

void closed(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  c.get("close", store.close());
  c.get("close again", store.close());
  c.refuse("saving in a closed store", Errc::closed, store.save(session));
  c.refuse("loading from a closed store", Errc::closed, store.load(session.id));
  c.refuse("listing a closed store", Errc::closed, store.list());
  c.refuse("removing from a closed store", Errc::closed, store.remove(session.id));
  c.refuse("list_for_agent of a closed store", Errc::closed, store.list_for_agent(c.agent()));
  c.refuse("updating in a closed store", Errc::closed, store.update(session.id, [](Session&) {}));
  c.refuse("appending in a closed store", Errc::closed, store.append(session.id, Message("user", "x")));
  c.refuse("flushing a closed store", Errc::closed, store.flush());
}

/// When close returns, no operation may be running: what succeeds has succeeded by then.
void close_drains(Context& c) {
  Subject& store = c.open();
  c.need_shared_place(store);
  Subject& witness = c.open();
  std::vector<SessionId> ids;
  const auto succeeded = std::make_shared<std::vector<int>>(40, 0);
  const auto done = std::make_shared<std::atomic<int>>(0);
  for (std::size_t i = 0; i < 40; ++i) {
    ids.push_back(c.id(std::to_string(i)));
    store.save_then(Session(ids[i]), c.io().get_executor(), [succeeded, done, i](Result<Written> result) {
      (*succeeded)[i] = result ? 1 : 0;
      ++*done;
    });
  }
  for (int steps = 0; steps < 20; ++steps)
    c.io().poll_one();
  c.get("close", store.close());
  std::vector<int> stored;
  for (const SessionId& id : ids)
    stored.push_back(c.run(witness.load(id)).has_value() ? 1 : 0);
  c.run_until([done] { return done->load() == 40; });
  expect_equal("the saves stored when close returned, against those that ever succeeded", stored, *succeeded);
}

void flush(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  c.get("flush", store.flush());
  c.get("flush again", store.flush());
  same_session("the session", c.load(store, session.id), session);
}

/// Operations seen by an observer. Thread-safe.
class Log {
 public:
  void note(const OperationEvent& event) {
    const std::lock_guard lock(mutex_);
    const std::string outcome(event.failure ? name(event.failure->code()) : "ok");
    lines_.push_back(std::string(event.operation) + " " + std::string(event.key) + " " + outcome);
    backends_.push_back(std::string(event.backend));
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  std::vector<std::string> backends() {
    const std::lock_guard lock(mutex_);
    return backends_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<std::string> backends_;
};

void observer(Context& c) {
  const auto log = std::make_shared<Log>();
  Subject& store = c.open(OpenOptions().observer([log](const OperationEvent& event) { log->note(event); }));
  const Session session = c.session();
  const std::string id = session.id.str();
  c.get("save", store.save(session));
  c.get("load", store.load(id));
  c.get("append", store.append(id, Message("user", "x")));
  c.get("update", store.update(id, [](Session& s) { s.set_title("t"); }));
  c.get("list", store.list(ListQuery().agent(c.agent())));
  c.get("list_for_agent", store.list_for_agent(c.agent()));
  c.refuse("create", Errc::conflict, store.save(session, SaveOptions().if_absent()));
  c.get("flush", store.flush());
  c.get("remove", store.remove(id));
  c.refuse("load", Errc::not_found, store.load(id));
  const std::vector<std::string> expected = {
      "save " + id + " ok",       "load " + id + " ok", "append " + id + " ok",
      "update " + id + " ok",     "list  ok",           "list_for_agent " + c.agent().str() + " ok",
      "save " + id + " conflict", "flush  ok",          "remove " + id + " ok",
      "load " + id + " not_found"};
  expect_equal("the operations observed", log->lines(), expected);
  for (const std::string& backend : log->backends())
    expect_equal("the backend observed", backend, store.capabilities().backend);
}

void observer_throws(Context& c) {
  Subject& store =
      c.open(OpenOptions().observer([](const OperationEvent&) { throw std::runtime_error("observer"); }));
  const Session session = c.saved(store);
  same_session("the session", c.load(store, session.id), session);
}

void read_only(Context& c) {
  Subject& writer = c.open();
  const Session session = c.saved(writer);
  Subject& store = c.open(OpenOptions().access(Access::read_only));
  c.refuse("saving read-only", Errc::unsupported, store.save(session));
  c.refuse("removing read-only", Errc::unsupported, store.remove(session.id));
  c.refuse("updating read-only", Errc::unsupported,
           store.update(session.id, [](Session& s) { s.set_title("x"); }));
  c.refuse("appending read-only", Errc::unsupported, store.append(session.id, Message("user", "x")));
  c.get("listing read-only", store.list(ListQuery().agent(c.agent())));
  if (store.capabilities().reach == Reach::process) return;  // the session is in another store
  same_session("the session loaded read-only", c.load(store, session.id), session);
}

void durability_too_strong(Context& c) {
  Subject& store = c.open();
  if (store.capabilities().max_durability == Durability::power)
    throw Skip("no durability is stronger than the store's");
  const Session session = c.session();
  c.refuse("a save with more durability than the store can give", Errc::unsupported,
           store.save(session, SaveOptions().durability(Durability::power)));
  c.absent(store, session.id);
}

void durabilities(Context& c) {
  Subject& store = c.open();
  const Durability max = store.capabilities().max_durability;
  expect("a default durability that the store can give", store.capabilities().default_durability <= max);
  Session session = c.session();
  for (const Durability durability : {Durability::none, Durability::process, Durability::power}) {
    if (durability > max) continue;
    const std::string with = " with durability " + show(durability);
    session.set_title(show(durability));
    c.get("save" + with, store.save(session, SaveOptions().durability(durability)));
    same_session("the session saved" + with, c.load(store, session.id), session);
    c.get("append" + with,
          store.append(session.id, Message("user", "x"), AppendOptions().durability(durability)));
    c.get("update" + with,
          store.update(
              session.id, [](Session& s) { s.set_title("u"); }, UpdateOptions().durability(durability)));
    c.get("remove" + with, store.remove(session.id, RemoveOptions().durability(durability)));
  }
}

void capabilities(Context& c) {
  Limits limits;
  limits.message_bytes = 123'456;
  limits.session_bytes = 1'234'567;
  limits.depth = 50;
  Subject& store = c.open(OpenOptions().limits(limits));
  const Capabilities before = store.capabilities();
  expect("a backend's name", !before.backend.empty(), "none");
  expect_equal("the limit of a message", before.limits.message_bytes, limits.message_bytes);
  expect_equal("the limit of a session", before.limits.session_bytes, limits.session_bytes);
  expect_equal("the limit of depth", before.limits.depth, limits.depth);
  c.saved(store);
  expect_equal("the backend's name later", store.capabilities().backend, before.backend);
  expect_equal("idempotent_append later", store.capabilities().idempotent_append, before.idempotent_append);
}

void errors_say_where(Context& c) {
  Subject& store = c.open();
  const Session session = c.session().add_message("user", "a secret");
  const SessionId& id = session.id;
  c.get("save", store.save(session));
  const auto says = [&](std::string_view operation, const Error& error) {
    expect_equal("the operation of the error", error.operation(), std::string(operation));
    expect_equal("the key of the error", error.key(), id.str());
    expect_equal("the backend of the error", error.backend(), store.capabilities().backend);
    expect("an error without the messages", error.message().find("a secret") == std::string::npos,
           show(error));
  };
  says("save", c.refuse("create", Errc::conflict, store.save(session, SaveOptions().if_absent())));
  says("append", c.refuse("append", Errc::conflict,
                          store.append(id, Message("user", "a secret"), AppendOptions().if_revision(1))));
  says("update",
       c.refuse("update", Errc::invalid_argument, store.update(id, [](Session& s) { s.id = "other"; })));
  says("remove", c.refuse("remove", Errc::conflict, store.remove(id, RemoveOptions().if_revision(1))));
  c.get("remove", store.remove(id));
  says("load", c.refuse("load", Errc::not_found, store.load(id)));
}

}  // namespace

std::vector<Entry> lifecycle_behaviours() {
  return {
      {"lifecycle.handle_dropped", "Operations keep a store alive whose handle was dropped", handle_dropped},
      {"lifecycle.closed", "A closed store answers closed, and may be closed again", closed},
      {"lifecycle.close_drains", "Close lets running operations finish first", close_drains},
      {"lifecycle.flush", "A flush succeeds and changes nothing", flush},
      {"lifecycle.observer", "An observer sees each operation once, with its key and outcome", observer},
      {"lifecycle.observer_throws", "What an observer throws harms nobody", observer_throws},
      {"lifecycle.read_only", "A store opened read-only refuses to write", read_only},
      {"lifecycle.durability_too_strong", "More durability than the store can give is unsupported",
       durability_too_strong},
      {"lifecycle.durabilities", "Every durability up to the store's strongest is accepted", durabilities},
      {"lifecycle.capabilities", "Capabilities are constant and hold the limits given", capabilities},
      {"lifecycle.errors_say_where", "Errors tell operation, key and backend, and no message bodies",
       errors_say_where},
  };
}

}  // namespace sessile::conformance
