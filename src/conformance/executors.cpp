// Every call shape, and where each resumes.
#include "conformance/suite.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>

#include <thread>

namespace sessile::conformance {
namespace {

using Where = std::function<bool()>;

/// Runs each operation once, and looks after each whether it resumed where it should.
asio::awaitable<void> visit(Subject* store, Session session, AgentId agent, Where at_home) {
  const SessionId id = session.id;
  session.set_metadata(
      "large", as_json(std::string(200'000, 'x')));  // more than may be parsed on the caller's executor
  need("save", co_await store->save(std::move(session)));
  expect("a save to resume on the caller's executor", at_home());
  need("load", co_await store->load(id));
  expect("a load to resume on the caller's executor", at_home());
  Message message("user", "x");
  need("append", co_await store->append(id, std::move(message)));
  expect("an append to resume on the caller's executor", at_home());
  Mutation mutation = [at_home](Session& s) {
    s.set_title("new");
    if (!at_home()) throw std::logic_error("the mutation ran elsewhere");
  };
  need("update, whose mutation runs on the caller's executor",
       co_await store->update(id, std::move(mutation)));
  expect("an update to resume on the caller's executor", at_home());
  ListQuery query;
  query.agent(agent);
  need("list", co_await store->list(query));
  expect("a listing to resume on the caller's executor", at_home());
  need("list_for_agent", co_await store->list_for_agent(agent));
  expect("list_for_agent to resume on the caller's executor", at_home());
  need("flush", co_await store->flush());
  expect("a flush to resume on the caller's executor", at_home());
  need("remove", co_await store->remove(id));
  expect("a removal to resume on the caller's executor", at_home());
}

/// Where a coroutine resumed on a thread that is nobody's, that thread may still be using what it was started
/// on.
template <class Check>
void or_leave_behind(Context& c, Check check) {
  try {
    check();
  } catch (const Failure&) {
    c.leave_behind();
    throw;
  }
}

void on_io_context(Context& c) {
  Subject& store = c.open();
  const std::thread::id here = std::this_thread::get_id();
  or_leave_behind(c, [&] {
    c.run(visit(&store, c.session(), c.agent(), [here] { return std::this_thread::get_id() == here; }));
  });
}

/// Runs visit() on what `executor_of` makes of a pool.
template <class ExecutorOf>
void on_pool_executor(Context& c, ExecutorOf executor_of) {
  Subject& store = c.open();
  auto pool = std::make_unique<asio::thread_pool>(3);
  const auto executor = executor_of(*pool);
  auto thrown = std::make_shared<std::promise<void>>();
  std::future<void> done = thrown->get_future();
  asio::co_spawn(
      executor,
      visit(&store, c.session(), c.agent(), [executor] { return executor.running_in_this_thread(); }),
      [thrown](std::exception_ptr what) { what ? thrown->set_exception(what) : thrown->set_value(); });
  or_leave_behind(c, [&] {
    asio::thread_pool* const used = pool.release();
    if (done.wait_for(c.deadline()) != std::future_status::ready)
      fail("visiting", "an outcome", "none in time");
    done.get();
    pool.reset(used);
  });
  pool->join();
}

void on_pool(Context& c) {
  on_pool_executor(c, [](asio::thread_pool& pool) { return pool.get_executor(); });
}

void on_strand(Context& c) {
  on_pool_executor(c, [](asio::thread_pool& pool) { return asio::make_strand(pool.get_executor()); });
}

template <class T>
T wait(Context& c, std::future<T> future) {
  if (future.wait_for(c.deadline()) != std::future_status::ready)
    fail("a future", "an outcome", "none in time");
  return future.get();
}

void callback(Context& c) {
  Subject& store = c.open();
  const Session session = c.session();
  const std::thread::id here = std::this_thread::get_id();
  const auto calls = std::make_shared<std::atomic<int>>(0);
  const auto at_home = std::make_shared<std::atomic<bool>>(false);
  store.save_then(session, c.io().get_executor(), [=](Result<Written> written) {
    *at_home = std::this_thread::get_id() == here;
    if (written) ++*calls;
  });
  expect_equal("calls of the callback before async_save returned", calls->load(), 0);
  c.run_until([calls] { return calls->load() > 0; });
  expect("the callback on its executor", at_home->load());
  same_session("the session saved", c.load(store, session.id), session);
  expect_equal("calls of the callback", calls->load(), 1);
}

void future(Context& c) {
  Subject& store = c.open();
  const Session session = c.session();
  need("the future of a save", wait(c, store.save_future(session)));
  same_session("the session saved", c.load(store, session.id), session);
  Session spoilt = c.session("spoilt").set_title("\xff");
  refused("the future of a save that is refused", Errc::invalid_argument, wait(c, store.save_future(spoilt)));
}

void deferred(Context& c) {
  Subject& store = c.open();
  const Session session = c.session();
  const auto launch = store.save_deferred(session);
  c.absent(store, session.id);
  need("the deferred save, launched", wait(c, launch()));
  same_session("the session saved", c.load(store, session.id), session);
}

void blocking_calls(Context& c) {
  Subject& store = c.open();
  const Session session = c.session();
  need("blocking::save", store.save_blocking(session));
  same_session("the session of blocking::load", *need("blocking::load", store.load_blocking(session.id)),
               session);
  refused("blocking::load of an unknown id", Errc::not_found, store.load_blocking(c.id("unknown")));
}

}  // namespace

std::vector<Entry> executors_behaviours() {
  return {
      {"executors.on_io_context", "Operations resume on the caller's io_context", on_io_context},
      {"executors.on_pool", "Operations resume on the caller's thread pool", on_pool},
      {"executors.on_strand", "Operations resume on the caller's strand", on_strand},
      {"executors.callback", "A callback is called once, on its executor", callback},
      {"executors.future", "A future gets the Result", future},
      {"executors.deferred", "A deferred operation starts when it is launched", deferred},
      {"executors.blocking", "The blocking calls do the same without an event loop", blocking_calls},
  };
}

}  // namespace sessile::conformance
