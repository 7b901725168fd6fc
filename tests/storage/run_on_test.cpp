// The one crossing to the pool and back.
#include "scratch.hpp"
#include "storage/io_pool.hpp"

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>

#include <future>
#include <stdexcept>
#include <thread>

namespace sessile::storage {

using namespace std::chrono_literals;

namespace {

asio::awaitable<void> cross_and_compare() {
  const auto home = std::this_thread::get_id();
  CHECK_FALSE(on_io_thread());
  auto work = [home](CommitGate&) { return on_io_thread() && std::this_thread::get_id() != home; };
  const bool elsewhere = co_await run_on(io_executor(), work);
  CHECK(elsewhere);
  CHECK(std::this_thread::get_id() == home);
  CHECK_FALSE(on_io_thread());
}

int fail(CommitGate&) {
  throw std::runtime_error("from the pool");
}

asio::awaitable<std::string> what_is_thrown() {
  try {
    co_await run_on(io_executor(), fail);
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "nothing";
}

asio::awaitable<int> sleep_on_the_pool() {
  auto work = [](CommitGate&) {
    std::this_thread::sleep_for(50ms);
    return 7;
  };
  co_return co_await run_on(io_executor(), work);
}

/// Waits on `executor` for `work`, and says what came of it.
template <class Work>
asio::awaitable<std::string> outcome_of(asio::any_io_executor executor, Work work) {
  try {
    const int value = co_await run_on(executor, work);
    co_return std::to_string(value);
  } catch (const boost::system::system_error& error) {
    co_return error.code() == asio::error::operation_aborted ? "aborted" : "other";
  }
}

}  // namespace

TEST_CASE("run_on runs the work on the pool and resumes on the caller's executor") {
  test::run(cross_and_compare());
}

TEST_CASE("run_on throws in the caller what the work threw") {
  CHECK(test::run(what_is_thrown()) == "from the pool");
}

TEST_CASE("run_on keeps the caller's io_context from running out of work") {
  // io_context::run returns when there is no work: without a guard it would before the pool answers.
  CHECK(test::run(sleep_on_the_pool()) == 7);
}

TEST_CASE("a cancellation before the work has begun keeps it from beginning") {
  asio::thread_pool one(1);
  std::promise<void> gate;
  asio::post(one, [opened = gate.get_future().share()] { opened.wait(); });
  asio::io_context context;
  asio::cancellation_signal signal;
  bool begun = false;
  std::string outcome;
  auto work = [&begun](CommitGate&) {
    begun = true;
    return 1;
  };
  asio::co_spawn(context, outcome_of(one.get_executor(), work),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, std::string said) {
                   outcome = std::move(said);
                 }));
  context.poll();
  signal.emit(asio::cancellation_type::terminal);
  context.poll();  // co_spawn passes the signal on by way of the context
  gate.set_value();
  context.run();
  CHECK(outcome == "aborted");
  CHECK_FALSE(begun);
}

TEST_CASE("a cancellation after the commit point changes nothing, and the outcome is told") {
  asio::thread_pool one(1);
  std::promise<void> committed;
  std::promise<void> cancelled;
  asio::io_context context;
  asio::cancellation_signal signal;
  std::string outcome;
  auto work = [&](CommitGate& gate) {
    const bool mine = gate.try_commit();
    committed.set_value();
    cancelled.get_future().wait();
    return mine && !gate.cancelled() ? 1 : 0;
  };
  asio::co_spawn(context, outcome_of(one.get_executor(), work),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, std::string said) {
                   outcome = std::move(said);
                 }));
  context.poll();
  committed.get_future().wait();
  signal.emit(asio::cancellation_type::terminal);
  context.poll();
  cancelled.set_value();
  context.run();
  CHECK(outcome == "1");
}

TEST_CASE("a cancellation and a commit exclude each other") {
  CommitGate committed;
  CHECK(committed.try_commit());
  CHECK_FALSE(committed.cancel());
  CHECK_FALSE(committed.cancelled());
  CommitGate cancelled;
  CHECK(cancelled.cancel());
  CHECK_FALSE(cancelled.try_commit());
  CHECK(cancelled.cancelled());
}

}  // namespace sessile::storage
