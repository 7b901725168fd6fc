// Cancellation and timeouts tell the truth.
#include "conformance/suite.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <random>
#include <thread>

namespace sessile::conformance {
namespace {

using Signal = std::shared_ptr<asio::cancellation_signal>;

/// Cancels itself in that way, then tries every writing operation and a load.
asio::awaitable<void> enter_cancelled(Subject* store, Session session, asio::cancellation_type type,
                                      Signal signal) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  signal->emit(type);
  Session changed = session;
  changed.set_title("changed");
  refused("a save entered while cancelled", Errc::cancelled, co_await store->save(std::move(changed)));
  Message message("user", "x");
  refused("an append entered while cancelled", Errc::cancelled,
          co_await store->append(session.id, std::move(message)));
  Mutation mutation = [](Session& s) { s.set_title("changed"); };
  refused("an update entered while cancelled", Errc::cancelled,
          co_await store->update(session.id, std::move(mutation)));
  refused("a load entered while cancelled", Errc::cancelled, co_await store->load(session.id));
  refused("a removal entered while cancelled", Errc::cancelled, co_await store->remove(session.id));
}

void entered_cancelled(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                          asio::cancellation_type::total}) {
    const Signal signal = std::make_shared<asio::cancellation_signal>();
    const auto thrown = std::make_shared<std::optional<std::exception_ptr>>();
    asio::co_spawn(c.io(), enter_cancelled(&store, session, type, signal),
                   asio::bind_cancellation_slot(
                       signal->slot(), [thrown, signal](std::exception_ptr what) { thrown->emplace(what); }));
    c.run_until([thrown] { return thrown->has_value(); });
    if (**thrown) std::rethrow_exception(**thrown);
    same_session("the session after operations that were cancelled", c.load(store, session.id), session);
  }
}

asio::awaitable<Result<Written>> save_cancellably(Subject* store, Session session) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return co_await store->save(std::move(session));
}

asio::awaitable<Result<Written>> append_cancellably(Subject* store, SessionId id, Message message) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return co_await store->append(std::move(id), std::move(message));
}

class Chance {
 public:
  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }

 private:
  std::minstd_rand random_{7};
};

/// Runs an operation that is cancelled at a random moment: after some steps of the loop, or some time.
Result<Written> cancel_somewhen(Context& c, Chance& chance, Async<Written> operation) {
  const Signal signal = std::make_shared<asio::cancellation_signal>();
  const auto outcome = std::make_shared<std::optional<Result<Written>>>();
  asio::co_spawn(c.io(), std::move(operation),
                 asio::bind_cancellation_slot(
                     signal->slot(), [outcome, signal](std::exception_ptr thrown, Result<Written> result) {
                       if (thrown) result = Error(Errc::io, "the operation threw");
                       result.ignore();
                       outcome->emplace(std::move(result));
                     }));
  c.io().restart();
  for (int steps = chance.below(8); steps > 0; --steps)
    c.io().poll_one();
  if (chance.below(3) == 0) std::this_thread::sleep_for(std::chrono::microseconds(chance.below(400)));
  constexpr asio::cancellation_type kTypes[] = {
      asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total};
  const asio::cancellation_type type = kTypes[chance.below(3)];
  // On the loop: Asio keeps no hold on the signal when it must first cross over to the executor.
  asio::post(c.io(), [signal, outcome, type] {
    if (!*outcome) signal->emit(type);
  });
  c.run_until([outcome] { return outcome->has_value(); });
  return std::move(**outcome);
}

void truth_of_save(Context& c) {
  Subject& store = c.open();
  Session stored = c.saved(store);
  Chance chance;
  Revision revision = c.load(store, stored.id).revision;
  for (int round = 0; round < 150; ++round) {
    Session next = stored;
    next.set_metadata("round", round);
    if (round % 10 == 0) next.set_metadata("large", as_json(std::string(200'000, 'x')));
    const Result<Written> written = cancel_somewhen(c, chance, save_cancellably(&store, next));
    if (written) {
      stored = next;
      expect_equal("the revision of a save that succeeded", written->revision, ++revision);
    } else {
      refused("a save that was cancelled", Errc::cancelled, written);
    }
    const Session loaded = c.load(store, stored.id);
    same_session(written ? "after a save that said it succeeded" : "after a save that said it was cancelled",
                 loaded, stored);
    expect_equal("the revision stored", loaded.revision, revision);
  }
}

void truth_of_append(Context& c) {
  Subject& store = c.open();
  Session stored = c.saved(store);
  Chance chance;
  for (int round = 0; round < 150; ++round) {
    const Result<Written> written =
        cancel_somewhen(c, chance, append_cancellably(&store, stored.id, Message("user", round)));
    if (written) {
      stored.add_message("user", round);
    } else {
      refused("an append that was cancelled", Errc::cancelled, written);
    }
    same_session(
        written ? "after an append that said it succeeded" : "after an append that said it was cancelled",
        c.load(store, stored.id), stored);
  }
}

/// Looks that the coroutine's cancellation state is after the operations what it was before.
asio::awaitable<void> keep_own_state(Subject* store, Session session, Signal signal) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_partial_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  const SessionId id = session.id;
  need("save", co_await store->save(std::move(session)));
  need("load", co_await store->load(id));
  Message message("user", "x");
  need("append", co_await store->append(id, std::move(message)));
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  expect_equal("throw_if_cancelled of the caller", throws, false);
  signal->emit(asio::cancellation_type::total);
  asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  expect("a caller that asked for partial cancellation to ignore a total one",
         state.cancelled() == asio::cancellation_type::none, "a caller that is cancelled");
  signal->emit(asio::cancellation_type::partial);
  state = co_await asio::this_coro::cancellation_state;
  expect("a caller that can still be cancelled", state.cancelled() != asio::cancellation_type::none,
         "one that no longer can");
}

void callers_state(Context& c) {
  Subject& store = c.open();
  const Signal signal = std::make_shared<asio::cancellation_signal>();
  const auto thrown = std::make_shared<std::optional<std::exception_ptr>>();
  asio::co_spawn(c.io(), keep_own_state(&store, c.session(), signal),
                 asio::bind_cancellation_slot(
                     signal->slot(), [thrown, signal](std::exception_ptr what) { thrown->emplace(what); }));
  c.run_until([thrown] { return thrown->has_value(); });
  if (**thrown) std::rethrow_exception(**thrown);
}

using Count = std::shared_ptr<std::atomic<int>>;

asio::awaitable<void> save_in_a_hurry(Subject* store, Session session, int times, Count successes) {
  for (int i = 0; i < times; ++i) {
    SaveOptions options;
    options.timeout(std::chrono::milliseconds(1));
    Session copy = session;
    const Result<Written> written = co_await store->save(std::move(copy), options);
    if (written) {
      ++*successes;
      continue;
    }
    const Errc code = written.error().code();
    expect("a save that had 1 ms to succeed or say timed_out or locked",
           code == Errc::timed_out || code == Errc::locked, show(written.error()));
  }
}

void truth_of_timeout(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision first = c.load(store, session.id).revision;
  const Count successes = std::make_shared<std::atomic<int>>(0);
  std::vector<asio::awaitable<void>> work;
  for (int i = 0; i < 8; ++i)
    work.push_back(save_in_a_hurry(&store, session, 25, successes));
  c.together(std::move(work));
  expect_equal("writes stored, against saves that said they succeeded",
               c.load(store, session.id).revision - first, successes->load());
}

}  // namespace

std::vector<Entry> cancellation_behaviours() {
  return {
      {"cancellation.entered_cancelled", "An operation entered while cancelled does nothing",
       entered_cancelled},
      {"cancellation.truth_of_save", "A save cancelled at any moment tells what happened", truth_of_save},
      {"cancellation.truth_of_append", "An append cancelled at any moment tells what happened",
       truth_of_append},
      {"cancellation.callers_state", "The caller's own cancellation state is left alone", callers_state},
      {"cancellation.truth_of_timeout", "A save that times out tells what happened", truth_of_timeout},
  };
}

}  // namespace sessile::conformance
