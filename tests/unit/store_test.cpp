// The contract's machinery: call shapes, cancellation, tokens, blocking, opening. What every store must do is
// in the conformance suite; this is about the base class and the functions around it.
#include "retention/wrapped_store.hpp"
#include "support/run.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>
#include <boost/asio.hpp>

#include <array>
#include <atomic>
#include <future>
#include <thread>

using namespace sessile;
using namespace std::chrono_literals;
using sessile::testing::run;

namespace {

StorePtr memory(OpenOptions options = OpenOptions()) {
  return open_store("memory:", std::move(options)).value();
}

/// A store that waits before its commit point, and counts what happened on either side of it.
class SlowStore final : public SessionStore {
 public:
  explicit SlowStore(OpenOptions options = OpenOptions()) : SessionStore(std::move(options), slow()) {}

  std::atomic<int> begun{0};
  std::atomic<int> committed{0};
  std::chrono::milliseconds before_commit{20};
  std::chrono::milliseconds after_commit{0};

 private:
  static Capabilities slow() {
    Capabilities capabilities;
    capabilities.backend = "slow";
    return capabilities;
  }

  static asio::awaitable<void> pause(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(time);
    co_await timer.async_wait(asio::use_awaitable);
  }

  Async<Written> do_save(SessionPtr, SaveOptions) override {
    ++begun;
    co_await pause(before_commit);
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    ++committed;
    co_await pause(after_commit);
    Written written;
    written.revision = 7;
    co_return written;
  }
  Async<SessionPtr> do_load(SessionId, LoadOptions) override { throw std::bad_alloc(); }
  Async<Page<SessionSummary>> do_list(ListQuery) override { throw std::runtime_error("text from elsewhere"); }
  Async<void> do_remove(SessionId, RemoveOptions) override { co_return Error(Errc::not_found); }
};

asio::awaitable<Result<Written>> save_quietly(StorePtr store, SaveOptions options) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return co_await store->save(Session("a"), options);
}

asio::awaitable<void> every_call_shape(StorePtr store) {
  // Each documented way to call, inside co_await: g++ 12 has miscompiled temporaries there.
  (co_await store->save(Session("a"))).value();
  (co_await store->save(Session("a").set_agent("x").set_title("t").set_metadata("k", json::value("v"))))
      .value();
  (co_await store->save(Session("b").add_message("user", "hi"), SaveOptions().if_absent().timeout(10s)))
      .value();
  (co_await store->save(std::make_shared<const Session>(Session("c")),
                        SaveOptions().durability(Durability::none)))
      .value();
  const SessionPtr loaded = (co_await store->load("a")).value();
  CHECK(loaded->title == "t");
  CHECK((co_await store->load(std::string("b"), LoadOptions().last_messages(0))).value()->messages.empty());
  (co_await store->save(Session(*loaded), SaveOptions().unchanged_since(*loaded))).value();
  CHECK((co_await store->list()).value().items.size() == 3);
  CHECK((co_await store->list(ListQuery().agent("x").limit(1).order(Order::id))).value().items.size() == 1);
  CHECK((co_await store->list_for_agent("x")).value().items.size() == 1);
  CHECK((co_await store->list_for_agent(AgentId("x"), ListQuery().byte_budget(1))).value().items.size() == 1);
  (co_await store->append("a", Message("user", "one"))).value();
  // An initializer list inside the expression is one thing it cannot compile; a variable helps.
  const json::value blocks = {"x", {{"k", 1}}};
  (co_await store->append("a", Message("user", blocks).set_timestamp(TimePoint(1us)))).value();
  (co_await store->append("a", std::vector<Message>(2, Message("tool", blocks)))).value();
  (co_await store->append("a", Message("user", "k"), AppendOptions().idempotency_key("k").timeout(1s)))
      .value();
  (co_await store->update("a", [](Session& s) { s.title = "u"; })).value();
  (co_await store->update("a", Mutation([](Session& s) -> Result<void> {
                            s.title = "w";
                            return success();
                          }),
                          UpdateOptions().timeout(1s)))
      .value();
  (co_await store->remove("c", RemoveOptions().if_revision(RevisionCheck::any()))).value();
  (co_await store->remove("b")).value();
  (co_await store->flush()).value();
  CHECK((co_await store->load("a")).value()->messages.size() == 5);
  CHECK((co_await get_or_create(store, "me")).value()->user_id == "me");
  CHECK((co_await exists(store, "a")).value());
  CHECK((co_await fork(store, "a", "f")).value()->parent_id == SessionId("a"));
  CHECK((co_await move_to_project(store, "f", "p")).value()->project_id == "p");
  CHECK((co_await since(store, TimePoint(0us))).value().items.size() == 3);
  (co_await create(store, Session("n"))).value();
  (co_await store->close()).value();
}

}  // namespace

TEST_CASE("A message's text may be a literal, a standard string or a view of one") {
  const std::string text = "hi there";
  const Message message("user", text);
  CHECK(message == Message("user", "hi there"));
  CHECK(message == Message("user", std::string_view(text)));
  CHECK(message.content == json::value(json::string(text)));
  CHECK(Session("a").add_message("user", text).messages.front() == message);
}

TEST_CASE("Every documented call shape works inside co_await") {
  run(every_call_shape(memory()));
}

TEST_CASE("A cancelled operation that has not reached its commit point did nothing") {
  auto store = std::make_shared<SlowStore>();
  store->before_commit = 60s;
  asio::io_context context;
  asio::cancellation_signal signal;
  Result<Written> outcome;
  asio::co_spawn(context, save_quietly(store, SaveOptions()),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, Result<Written> result) {
                   outcome = std::move(result);
                 }));
  asio::steady_timer timer(context, 5ms);
  timer.async_wait([&](auto) { signal.emit(asio::cancellation_type::terminal); });
  context.run();
  CHECK(outcome.error().code() == Errc::cancelled);
  CHECK(outcome.error().operation() == "save");
  CHECK(outcome.error().key() == "a");
  CHECK(store->begun == 1);
  CHECK(store->committed == 0);
}

TEST_CASE("An operation that was begun with a token hears every type of cancellation") {
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                          asio::cancellation_type::total}) {
    auto store = std::make_shared<SlowStore>();
    store->before_commit = 60s;
    asio::io_context context;
    asio::cancellation_signal signal;
    Result<Written> outcome;
    async_save(
        std::shared_ptr<SessionStore>(store), Session("a"), SaveOptions(),
        asio::bind_executor(context, asio::bind_cancellation_slot(signal.slot(), [&](Result<Written> result) {
                              outcome = std::move(result);
                            })));
    asio::steady_timer timer(context, 5ms);
    timer.async_wait([&](auto) { signal.emit(type); });
    context.run();
    CHECK(outcome.error().code() == Errc::cancelled);
  }
}

TEST_CASE("A cancellation after the commit point changes nothing, and the truth is told") {
  auto store = std::make_shared<SlowStore>();
  store->before_commit = 0ms;
  store->after_commit = 40ms;
  asio::io_context context;
  asio::cancellation_signal signal;
  Result<Written> outcome;
  asio::co_spawn(context, save_quietly(store, SaveOptions()),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, Result<Written> result) {
                   outcome = std::move(result);
                 }));
  asio::steady_timer timer(context, 15ms);
  timer.async_wait([&](auto) { signal.emit(asio::cancellation_type::all); });
  context.run();
  CHECK(outcome.value().revision == 7);
  CHECK(store->committed == 1);
}

TEST_CASE("A timeout before the commit point is timed_out, after it the truth") {
  auto store = std::make_shared<SlowStore>();
  store->before_commit = 10s;
  CHECK(run(save_quietly(store, SaveOptions().timeout(10ms))).error().code() == Errc::timed_out);
  CHECK(store->committed == 0);
  store->before_commit = 0ms;
  store->after_commit = 50ms;
  CHECK(run(save_quietly(store, SaveOptions().timeout(10ms))).value().revision == 7);
}

namespace {
asio::awaitable<bool> state_is_left_alone(StorePtr store) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_partial_cancellation());
  (co_await store->save(Session("a"))).value();
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  // SlowStore disabled cancellation for itself; ours must still be connected and clean.
  co_return state.slot().is_connected() && state.cancelled() == asio::cancellation_type::none;
}
}  // namespace

TEST_CASE("An operation leaves the caller's cancellation state as it was") {
  auto store = std::make_shared<SlowStore>();
  asio::io_context context;
  asio::cancellation_signal signal;
  bool intact = false;
  asio::co_spawn(context, state_is_left_alone(store),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e, bool value) {
                   REQUIRE(e == nullptr);
                   intact = value;
                 }));
  context.run();
  CHECK(intact);
}

TEST_CASE("What an implementation throws becomes an error") {
  auto store = std::make_shared<SlowStore>();
  CHECK(run(store->load("a")).error().code() == Errc::unavailable);
  const Error error = run(store->list()).error();
  CHECK(error.code() == Errc::io);
  CHECK(error.outside_text() == "text from elsewhere");
  CHECK(error.detail().find("elsewhere") == std::string::npos);
  CHECK(error.backend() == "slow");
}

TEST_CASE("An operation keeps its store alive when the handle is dropped") {
  auto store = std::make_shared<SlowStore>();
  std::weak_ptr<SlowStore> watched = store;
  asio::io_context context;
  Result<Written> outcome;
  async_save(std::shared_ptr<SessionStore>(store), Session("a"), SaveOptions(),
             asio::bind_executor(context, [&](Result<Written> result) {
               CHECK(!watched.expired());
               outcome = std::move(result);
             }));
  store.reset();
  context.run();
  CHECK(outcome.value().revision == 7);
  CHECK(watched.expired());
}

TEST_CASE("async_* completes with callbacks, futures and deferred, on the token's executor") {
  auto store = memory();
  asio::thread_pool pool(1);
  const auto pool_thread =
      asio::post(pool, asio::use_future([] { return std::this_thread::get_id(); })).get();
  std::promise<std::thread::id> seen;
  async_save(store, Session("a"), SaveOptions(), asio::bind_executor(pool, [&](Result<Written> written) {
               written.value();
               seen.set_value(std::this_thread::get_id());
             }));
  CHECK(seen.get_future().get() == pool_thread);
  CHECK(async_load(store, "a", LoadOptions(), asio::use_future).get().value()->id == SessionId("a"));
  CHECK(async_append(store, "a", std::vector<Message>(1, Message("user", "x")), AppendOptions(),
                     asio::use_future)
            .get()
            .has_value());
  CHECK(
      async_update(store, "a", Mutation([](Session& s) { s.title = "t"; }), UpdateOptions(), asio::use_future)
          .get()
          .value()
          ->title == "t");
  CHECK(async_list(store, ListQuery(), asio::use_future).get().value().items.size() == 1);
  CHECK(async_list_for_agent(store, AgentId(), ListQuery(), asio::use_future).get().value().items.size() ==
        1);
  auto deferred = async_remove(store, "a", RemoveOptions(), asio::deferred);
  CHECK(std::move(deferred)(asio::use_future).get().has_value());
  CHECK(async_flush(store, asio::use_future).get().has_value());
  CHECK(async_close(store, asio::use_future).get().has_value());
  pool.join();
}

TEST_CASE("close lets running operations finish, and later ones fail with closed") {
  auto store = std::make_shared<SlowStore>();
  asio::io_context context;
  Result<Written> saved;
  std::vector<std::string> order;
  asio::co_spawn(context, store->save(Session("a")), [&](std::exception_ptr, Result<Written> result) {
    saved = std::move(result);
    order.emplace_back("saved");
  });
  for (int i = 0; i < 2; ++i) {
    asio::co_spawn(context, store->close(), [&](std::exception_ptr, Result<void> result) {
      result.value();
      order.emplace_back("closed");
    });
  }
  context.run();
  CHECK(saved.value().revision == 7);
  CHECK(order == std::vector<std::string>{"saved", "closed", "closed"});
  CHECK(run(store->save(Session("a"))).error().code() == Errc::closed);
}

TEST_CASE("P12 blocking helpers run the same store, and refuse a thread of the store") {
  auto store = memory();
  CHECK(blocking::save(*store, Session("a")).value().revision > 0);
  CHECK(blocking::load(*store, "a").value()->id == SessionId("a"));
  CHECK(blocking::append(*store, "a", std::vector<Message>(1, Message("user", "x"))).has_value());
  CHECK(blocking::list(*store).value().items.size() == 1);
  CHECK(blocking::update(*store, "a", [](Session& s) { s.title = "t"; }).value()->title == "t");
  CHECK(blocking::list_for_agent(*store, AgentId()).value().items.size() == 1);
  CHECK(blocking::remove(*store, "a").has_value());
  CHECK(blocking::load(*store, "a").error().code() == Errc::not_found);
  // Where operations resume when they are asked for from no executor.
  std::promise<Result<Written>> told;
  async_load(store, "a", LoadOptions(), [&](Result<SessionPtr> missing) {
    missing.ignore();
    told.set_value(blocking::save(*store, Session("a")));
  });
  const auto refused = told.get_future().get();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::unsupported);
  CHECK(blocking::flush(*store).has_value());
  CHECK(blocking::close(*store).has_value());
}

TEST_CASE("P12 blocking helpers refuse a thread of the pool that the store was given") {
  const testing::TemporaryDirectory place;
  asio::thread_pool pool(1);
  const auto store =
      open_store("file:" + place.path().string(), OpenOptions().executor(pool.get_executor())).value();
  CHECK(blocking::save(*store, Session("a")).has_value());
  std::promise<Result<SessionPtr>> told;
  asio::post(pool, [&] { told.set_value(blocking::load(*store, "a")); });
  const auto refused = told.get_future().get();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::unsupported);
  CHECK(blocking::close(*store).has_value());
}

TEST_CASE("The observer sees each operation once, with its outcome") {
  std::vector<std::string> seen;
  OpenOptions options;
  options.observer([&seen](const OperationEvent& event) {
    seen.push_back(
        std::string(event.operation) + " " + std::string(event.key) + " " +
        (event.failure ? std::string(name(event.failure->code())) : std::to_string(event.bytes > 0)));
    throw 1;
  });
  auto store = memory(std::move(options));
  blocking::save(*store, Session("a")).value();
  blocking::load(*store, "b").ignore();
  blocking::load(*store, "").ignore();
  blocking::save(*store, SessionPtr()).ignore();
  blocking::close(*store).value();
  blocking::load(*store, "").ignore();
  CHECK(seen == std::vector<std::string>{"save a 1", "load b not_found", "load  invalid_argument",
                                         "save  invalid_argument", "close  0", "load  closed"});
}

TEST_CASE("A store opened read-only refuses to write") {
  auto store = open_store("memory:?mode=ro").value();
  CHECK(blocking::save(*store, Session("a")).error().code() == Errc::unsupported);
  CHECK(blocking::load(*store, "a").error().code() == Errc::not_found);
}

TEST_CASE("URLs that cannot be opened say why") {
  for (const char* url :
       {"", "memory", "nosuch:x", "memory:?durability=often", "memory:?colour=red", "memory:?mode",
        "memory:?mode=ro&mode=rw", "memory:%zz", "memory:?max_depth=0", "Memory:", "memory:name"}) {
    CAPTURE(url);
    CHECK(open_store(url).error().code() == Errc::invalid_argument);
    CHECK(!open_store(url).error().detail().empty());
  }
  CHECK(open_store("memory:?durability=power").error().code() == Errc::unsupported);
}

TEST_CASE("Others register a scheme once") {
  auto factory = [](StoreUrl, OpenOptions) -> Result<StorePtr> {
    return StorePtr(std::make_shared<SlowStore>());
  };
  CHECK(register_scheme("slow", factory).has_value());
  CHECK(register_scheme("slow", factory).error().code() == Errc::invalid_argument);
  CHECK(register_scheme("memory", factory).error().code() == Errc::invalid_argument);
  CHECK(register_scheme("Bad", factory).error().code() == Errc::invalid_argument);
  CHECK(open_store("slow:anything").value()->capabilities().backend == "slow");
}

TEST_CASE("A Result carries its value or its error, and value() throws the error") {
  Result<int> good = 3;
  CHECK(good.value() == 3);
  Result<int> bad = Error(Errc::conflict).with_revisions(5, 7);
  CHECK(!bad.has_value());
  CHECK(bad.error().expected() == 5);
  CHECK_THROWS_AS(bad.value(), SystemError);
  CHECK(bad.error().message().find("expected revision 5, stored is revision 7") != std::string::npos);
  Error copy = bad.error();
  copy.with_key("changed");
  CHECK(bad.error().key().empty());
}

TEST_CASE("An error's message escapes what came from outside") {
  Error error(Errc::corrupt);
  error.with_key("a\nb\x1b[31m").with_path("/x").with_offset(12);
  CHECK(error.message().find('\n') == std::string::npos);
  CHECK(error.message().find('\x1b') == std::string::npos);
  CHECK(error.message().find("/x at byte 12") != std::string::npos);
  LockHolder holder;
  holder.pid = 7;
  holder.host = "host\nforged";
  holder.since = "now\x1b[31m";
  const std::string locked = Error(Errc::locked, "/field\nforged: odd").with_holder(holder).message();
  CHECK(locked.find("held by process 7 on host\\x0aforged since now\\x1b[31m") != std::string::npos);
  CHECK(locked.find('\n') == std::string::npos);
}

TEST_CASE("A Result may be looked at by several threads") {
  const Result<int> result(7);
  std::array<std::thread, 2> threads;
  for (std::thread& thread : threads) {
    thread = std::thread([&result] {
      for (int i = 0; i < 1000; ++i) {
        const Result<int> copy(result);
        CHECK(copy.has_value());
        CHECK(result.value() == 7);
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
}

TEST_CASE("What a loaded session points to never changes, nor what a weak_ptr to it brings back") {
  auto store = memory();
  run(store->save(Session("a").add_message("user", "one"))).value();
  SessionPtr loaded = run(store->load("a")).value();
  const std::weak_ptr<const Session> weak = loaded;
  run(store->append("a", Message("user", "two"))).value();
  CHECK(loaded->messages.size() == 1);
  loaded.reset();
  CHECK(weak.lock() == nullptr);
  const std::weak_ptr<const Session> updated =
      run(store->update("a", [](Session& session) { session.title = "t"; })).value();
  CHECK(updated.lock() == nullptr);
}

TEST_CASE("A store in front of one that keeps what it is given updates, saves and loads") {
  const sessile::testing::TemporaryDirectory place;
  auto store = std::make_shared<sessile::testing::WrappedStore>(
      open_store("jsondir:" + (place.path() / "store").string()).value());
  Session session("a");
  for (int i = 0; i < 20; ++i)
    session.add_message("user", std::to_string(i));
  run(store->save(std::move(session))).value();
  Session updated = *run(store->update("a", [](Session& stored) { stored.title = "t"; })).value();
  CHECK(updated.messages.size() == 20);
  run(store->save(updated.add_message("user", "more"))).value();
  const auto loaded = run(store->load("a"));
  REQUIRE(loaded);
  CHECK((*loaded)->messages.size() == 21);
}
