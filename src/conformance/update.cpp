// Load, change and save as one step.
#include "conformance/suite.hpp"

namespace sessile::conformance {
namespace {

void applies(Context& c) {
  Subject& store = c.open();
  Session session = c.saved(store);
  const SessionPtr updated = c.get("update", store.update(session.id, [](Session& s) {
    s.set_title("new").add_message("assistant", "hi");
    s.messages.front().content = "changed";
  }));
  session.set_title("new").add_message("assistant", "hi");
  session.messages.front().content = "changed";
  same_session("the session returned", *updated, session);
  const Session loaded = c.load(store, session.id);
  same_session("the session loaded", loaded, session);
  expect_equal("the revision returned", updated->revision, loaded.revision);
  expect_equal("updated_at returned", updated->updated_at, loaded.updated_at);
}

/// Runs an update that must be refused, and looks that nothing was written.
void refused_update(Context& c, Errc code, Mutation mutation) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision before = c.load(store, session.id).revision;
  c.refuse("the update", code, store.update(session.id, std::move(mutation)));
  const Session after = c.load(store, session.id);
  same_session("the session after the update", after, session);
  expect_equal("the revision after the update", after.revision, before);
}

void error_writes_nothing(Context& c) {
  refused_update(c, Errc::unsupported, [](Session& s) -> Result<void> {
    s.set_title("changed");
    return Error(Errc::unsupported, "the mutation refuses");
  });
}

void exception_writes_nothing(Context& c) {
  refused_update(c, Errc::invalid_argument, [](Session& s) {
    s.set_title("changed");
    throw std::runtime_error("the mutation throws");
  });
}

void id_change_refused(Context& c) {
  const SessionId other = c.id("other");
  refused_update(c, Errc::invalid_argument, [other](Session& s) {
    s.id = other;
    s.set_title("changed");
  });
  c.absent(c.open(), other);
}

void no_change_no_write(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Session before = c.load(store, session.id);
  const SessionPtr same = c.get("update", store.update(session.id, [](Session& s) { s.set_title(s.title); }));
  expect_equal("the revision returned by an update that changes nothing", same->revision, before.revision);
  const Session after = c.load(store, session.id);
  expect_equal("the revision stored", after.revision, before.revision);
  expect_equal("updated_at", after.updated_at, before.updated_at);
}

void missing(Context& c) {
  Subject& store = c.open();
  const SessionId id = c.id("missing");
  const auto runs = std::make_shared<std::atomic<int>>(0);
  c.refuse("updating what is not there", Errc::not_found,
           store.update(id, [runs](Session& s) { ++*runs, s.set_title("x"); }));
  expect_equal("runs of the mutation", runs->load(), 0);
  c.absent(store, id);
}

void if_revision(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision stored = c.load(store, session.id).revision;
  const Mutation retitle = [](Session& s) { s.set_title(s.title + "x"); };
  c.refuse("updating another revision", Errc::conflict,
           store.update(session.id, retitle, UpdateOptions().if_revision(stored + 3)));
  same_session("the session after the conflict", c.load(store, session.id), session);
  c.get("updating that revision", store.update(session.id, retitle, UpdateOptions().if_revision(stored)));
  expect_equal("the title", c.load(store, session.id).title, "x");
}

void increment(Session& session) {
  const json::value* counter = session.metadata.if_contains("counter");
  session.set_metadata("counter", counter ? counter->to_number<std::int64_t>() + 1 : 1);
}

asio::awaitable<void> increment_often(Subject* store, SessionId id, int times) {
  for (int i = 0; i < times; ++i) {
    Mutation mutation = increment;
    need("a concurrent update", co_await store->update(id, std::move(mutation)));
  }
}

void concurrent(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision first = c.load(store, session.id).revision;
  std::vector<asio::awaitable<void>> work;
  for (int i = 0; i < 8; ++i)
    work.push_back(increment_often(&store, session.id, 50));
  c.together(std::move(work));
  const Session loaded = c.load(store, session.id);
  same_json("the counter after 8 × 50 updates", loaded.metadata.at("counter"), 400);
  expect_equal("the revision", loaded.revision, first + 400);
}

asio::awaitable<void> append_often(Subject* store, SessionId id, std::string role, int times) {
  for (int i = 0; i < times; ++i) {
    Message message(role, i);
    need("a concurrent append", co_await store->append(id, std::move(message)));
  }
}

/// What a program does by hand that has no update: load, change, save if unchanged, and again.
asio::awaitable<void> swap_often(Subject* store, SessionId id, int times) {
  for (int done = 0; done < times;) {
    const SessionPtr loaded = need("a concurrent load", co_await store->load(id));
    Session changed = *loaded;
    increment(changed);
    SaveOptions options;
    options.unchanged_since(*loaded);
    const Result<Written> written = co_await store->save(std::move(changed), options);
    if (written) {
      ++done;
    } else {
      refused("a swap that came too late", Errc::conflict, written);
    }
  }
}

void mixed(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  std::vector<asio::awaitable<void>> work;
  for (int i = 0; i < 2; ++i) {
    work.push_back(increment_often(&store, session.id, 20));
    work.push_back(append_often(&store, session.id, "role", 20));
    work.push_back(swap_often(&store, session.id, 20));
  }
  c.together(std::move(work));
  const Session loaded = c.load(store, session.id);
  same_json("the counter after 40 updates and 40 swaps", loaded.metadata.at("counter"), 80);
  expect_equal("messages after 40 appends to one", loaded.messages.size(), 41u);
}

asio::awaitable<void> update_until_gone(Subject* store, SessionId id) {
  for (;;) {
    Mutation mutation = increment;
    const Result<SessionPtr> updated = co_await store->update(id, std::move(mutation));
    if (updated) continue;
    refused("updating what was removed", Errc::not_found, updated);
    co_return;
  }
}

asio::awaitable<void> remove_soon(Subject* store, SessionId id, int loads) {
  for (int i = 0; i < loads; ++i)
    (co_await store->load(id)).ignore();
  need("removing", co_await store->remove(id));
}

void never_resurrects(Context& c) {
  Subject& store = c.open();
  for (int round = 0; round < 30; ++round) {
    const Session session = c.saved(store, std::to_string(round));
    std::vector<asio::awaitable<void>> work;
    for (int i = 0; i < 3; ++i)
      work.push_back(update_until_gone(&store, session.id));
    work.push_back(remove_soon(&store, session.id, round % 7));
    c.together(std::move(work));
    c.absent(store, session.id);
  }
}

}  // namespace

std::vector<Entry> update_behaviours() {
  return {
      {"update.applies", "An update stores and returns what the mutation made", applies},
      {"update.error_writes_nothing", "A mutation's error is returned and nothing is written",
       error_writes_nothing},
      {"update.exception_writes_nothing", "What a mutation throws becomes an error and nothing is written",
       exception_writes_nothing},
      {"update.id_change_refused", "A mutation may not change the id", id_change_refused},
      {"update.no_change_no_write", "A mutation that changes nothing writes nothing", no_change_no_write},
      {"update.missing", "Updating what is not there is not_found and creates nothing", missing},
      {"update.if_revision", "An update that expects another revision is refused", if_revision},
      {"update.concurrent", "Of 8 × 50 concurrent updates none is lost", concurrent},
      {"update.mixed", "Updates, appends and compare-and-swap lose nothing of each other", mixed},
      {"update.never_resurrects", "An update never brings back a removed session", never_resurrects},
  };
}

}  // namespace sessile::conformance
