// Who else uses a database, and operations that others wait for or cancel.
#pragma once

#include "postgres/fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <libpq-fe.h>

#include <chrono>
#include <exception>
#include <future>
#include <optional>
#include <thread>

namespace sessile::testing {

/// Another user of the database, who holds what it locks.
class Other {
 public:
  explicit Other(const Database& database) : connection_(PQconnectdb(database.url().c_str()), PQfinish) {
    REQUIRE(PQstatus(connection_.get()) == CONNECTION_OK);
  }
  void run(const std::string& sql) {
    PGresult* const result = PQexec(connection_.get(), sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    REQUIRE((status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK));
  }

 private:
  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

/// Waits until a statement of a store waits for `event` (of pg_stat_activity).
inline void wait_until_waiting(const Database& database, const std::string& event) {
  const std::string count =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sessile' AND wait_event = '" + event +
      "' AND datname = '" + database.name + "'";
  for (int i = 0; i < 200 && database.query(count) == "0"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  REQUIRE(database.query(count) == "1");
}

/// An operation of its own thread that can be cancelled.
template <class T>
class Cancellable {
 public:
  explicit Cancellable(Async<T> operation) {
    asio::co_spawn(context_, std::move(operation),
                   asio::bind_cancellation_slot(signal_.slot(), [this](std::exception_ptr, Result<T> result) {
                     outcome_.emplace(std::move(result));
                   }));
    running_ = std::async(std::launch::async, [this] { context_.run(); });
  }
  void cancel() {
    asio::post(context_, [this] { signal_.emit(asio::cancellation_type::terminal); });
  }
  Result<T> outcome() {
    running_.get();
    REQUIRE(outcome_);
    return std::move(*outcome_);
  }

 private:
  asio::io_context context_{1};
  asio::cancellation_signal signal_;
  std::optional<Result<T>> outcome_;
  std::future<void> running_;  // first to go: it uses the others
};

}  // namespace sessile::testing
