// Readers and writers at once.
#include "conformance/suite.hpp"

#include <boost/asio/strand.hpp>

namespace sessile::conformance {
namespace {

using Flag = std::shared_ptr<std::atomic<bool>>;

/// A session whose messages all say the same number.
Session uniform(const SessionId& id, int number) {
  Session session(id);
  for (int i = 0; i < 20; ++i)
    session.add_message("user", number);
  return session.set_metadata("number", number);
}

asio::awaitable<void> write_uniform(Subject* store, SessionId id, Flag over) {
  for (int number = 1; number <= 100; ++number)
    need("saving", co_await store->save(uniform(id, number)));
  over->store(true);
}

asio::awaitable<void> read_uniform(Subject* store, SessionId id, Flag over) {
  do {
    const SessionPtr session = need("loading", co_await store->load(id));
    expect_equal("the number of messages", session->messages.size(), 20u);
    for (const Message& message : session->messages) {
      same_json("a message, against the metadata of the same save", message.content,
                session->metadata.at("number"));
    }
  } while (!over->load());
}

void readers_see_one_state(Context& c) {
  Subject& store = c.open();
  const SessionId id = c.id();
  c.get("save", store.save(uniform(id, 0)));
  const Flag over = std::make_shared<std::atomic<bool>>(false);
  std::vector<asio::awaitable<void>> work;
  work.push_back(write_uniform(&store, id, over));
  for (int i = 0; i < 3; ++i)
    work.push_back(read_uniform(&store, id, over));
  c.together(std::move(work));
}

asio::awaitable<void> write_own(Subject* store, Session session, int times) {
  for (int i = 0; i < times; ++i) {
    session.set_metadata("n", i);
    Session copy = session;
    need("saving", co_await store->save(std::move(copy)));
    const SessionPtr loaded = need("loading", co_await store->load(session.id));
    same_session("a session that nobody else writes", *loaded, session);
  }
}

void distinct_sessions(Context& c) {
  Subject& store = c.open();
  std::vector<asio::awaitable<void>> work;
  for (int i = 0; i < 12; ++i)
    work.push_back(write_own(&store, c.session(std::to_string(i)), 15));
  c.together(std::move(work));
  expect_equal("the number of sessions", c.walk(store, ListQuery().agent(c.agent()).limit(5)).size(), 12u);
}

asio::awaitable<void> count_up(Subject* store, SessionId id, int times) {
  for (int i = 0; i < times; ++i) {
    Message message("user", "x");
    need("appending", co_await store->append(id, std::move(message)));
  }
}

/// One store used from an io_context, a pool and a strand at once.
void several_executors(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  asio::thread_pool pool(2);
  const auto left = std::make_shared<std::atomic<int>>(3);
  const auto thrown = std::make_shared<std::array<std::exception_ptr, 3>>();
  const auto note = [left, thrown](std::size_t which) {
    return [left, thrown, which](std::exception_ptr what) {
      (*thrown)[which] = what;
      --*left;
    };
  };
  asio::co_spawn(c.io(), count_up(&store, session.id, 30), note(0));
  asio::co_spawn(pool, count_up(&store, session.id, 30), note(1));
  asio::co_spawn(asio::make_strand(pool), count_up(&store, session.id, 30), note(2));
  c.run_until([left] { return left->load() == 0; });
  pool.join();
  for (const std::exception_ptr& what : *thrown) {
    if (what) std::rethrow_exception(what);
  }
  expect_equal("messages after 3 × 30 appends", c.load(store, session.id).messages.size(), 91u);
}

}  // namespace

std::vector<Entry> concurrency_behaviours() {
  return {
      {"concurrency.readers_see_one_state", "A reader sees one state whole, never parts of two",
       readers_see_one_state},
      {"concurrency.distinct_sessions", "Writers of distinct sessions don't disturb each other",
       distinct_sessions},
      {"concurrency.several_executors", "One store serves several executors at once", several_executors},
  };
}

}  // namespace sessile::conformance
