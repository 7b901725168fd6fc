// What an operation says when the server fails it: typed, discreet, and true. Faults are put in by triggers,
// so that they come at an exact point of an exact transaction.
#include "postgres/fixture.hpp"
#include "postgres/others.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <libpq-fe.h>

#include <cstdio>
#include <functional>
#include <future>
#include <thread>

#include <dlfcn.h>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

constexpr const char* kEndBackend = "PERFORM pg_terminate_backend(pg_backend_pid());";

/// What happens when a ROLLBACK is about to be sent.
std::function<void()> before_rollback;

std::string raise(const std::string& state) {
  return "RAISE EXCEPTION 'injected' USING ERRCODE = '" + state + "';";
}

std::size_t messages_of(SessionStore& store, const SessionId& id) {
  return blocking::load(store, id).value()->messages.size();
}

}  // namespace

/// The backend's calls come here.
extern "C" int PQsendQueryParams(PGconn* connection, const char* command, int count, const Oid* types,
                                 const char* const* values, const int* sizes, const int* formats,
                                 int result_format) {
  static const auto real = reinterpret_cast<decltype(&PQsendQueryParams)>(::dlsym(RTLD_NEXT, __func__));
  if (before_rollback && std::string_view(command) == "ROLLBACK") before_rollback();
  return real(connection, command, count, types, values, sizes, formats, result_format);
}

TEST_CASE("What the server refuses has a kind of its own") {
  const Database database;
  const auto store = database.open("retry_timeout=300ms");
  blocking::save(*store, simple("s")).value();
  const std::pair<const char*, Errc> kinds[] = {
      {"53100", Errc::unavailable}, {"53200", Errc::unavailable}, {"58030", Errc::io},
      {"55P03", Errc::locked},      {"54000", Errc::too_large},   {"42501", Errc::unavailable},
      {"XX001", Errc::corrupt},     {"40001", Errc::unavailable}, {"22012", Errc::io},
  };
  for (const auto& [state, code] : kinds) {
    CAPTURE(state);
    database.on("BEFORE UPDATE", "sessions", raise(state));
    const Error error = failed(blocking::append(*store, "s", one_message("x")));
    CHECK(error.code() == code);
    CHECK(error.outside_text().find(state) != std::string::npos);
    check_discreet(error, database.server);
    database.stop_injecting("sessions");
    CHECK(messages_of(*store, "s") == 1);
  }
  database.on("BEFORE UPDATE", "sessions", raise("53100"));
  CHECK(failed(blocking::append(*store, "s", one_message("x"))).cause() ==
        boost::system::errc::no_space_on_device);
}

TEST_CASE("Serialization failures and deadlocks are tried again") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s")).value();
  for (const char* state : {"40001", "40P01"}) {
    database.on("BEFORE UPDATE", "sessions", std::string("IF nth() <= 3 THEN ") + raise(state) + " END IF;");
    blocking::append(*store, "s", one_message("x")).value();
    database.stop_injecting("sessions");
  }
  CHECK(messages_of(*store, "s") == 3);
}

TEST_CASE("A connection that ends before the commit costs nothing: the write is made on another") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s")).value();
  database.on("BEFORE UPDATE", "sessions", std::string("IF nth() = 1 THEN ") + kEndBackend + " END IF;");
  blocking::append(*store, "s", one_message("x")).value();
  CHECK(messages_of(*store, "s") == 2);
}

TEST_CASE("A connection that ends during the commit leaves the outcome open") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s")).value();
  database.on("AFTER UPDATE", "sessions", kEndBackend, true);
  Error error = failed(blocking::append(*store, "s", one_message("x")));
  CHECK(error.code() == Errc::indeterminate);
  check_discreet(error, database.server);
  error = failed(blocking::save(*store, simple("s").set_title("t")));
  CHECK(error.code() == Errc::indeterminate);
  // Tried again under its key as often as may be, it is still open.
  error = failed(blocking::append(*database.open("retry_timeout=300ms"), "s", one_message("x"),
                                  AppendOptions().idempotency_key("k")));
  CHECK(error.code() == Errc::indeterminate);
}

TEST_CASE("An idempotency key settles what a broken commit left open") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s")).value();
  database.on("AFTER UPDATE", "sessions", std::string("IF nth() = 1 THEN ") + kEndBackend + " END IF;", true);
  blocking::append(*store, "s", one_message("x"), AppendOptions().idempotency_key("k")).value();
  CHECK(messages_of(*store, "s") == 2);
  CHECK(
      blocking::append(*store, "s", one_message("x"), AppendOptions().idempotency_key("k")).value().replayed);
}

TEST_CASE("A keyed append that met its session being made again finds the key that was just used") {
  const Database database;
  const auto store = database.open();
  const auto other_store = database.open();
  blocking::save(*store, simple("s")).value();
  // The first update of the row waits, with the snapshot that it has, for the advisory lock 7.
  database.query(
      "CREATE SEQUENCE calls; CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN "
      "IF nextval('calls') = 1 THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NULL; END $body$; "
      "CREATE TRIGGER hold BEFORE UPDATE ON sessile.sessions FOR EACH STATEMENT EXECUTE FUNCTION hold()");
  Other maker(database), holder(database);
  holder.run("SELECT pg_advisory_lock(7)");
  maker.run(
      "BEGIN; CREATE TEMP TABLE row AS SELECT * FROM sessile.sessions; DELETE FROM sessile.sessions; "
      "INSERT INTO sessile.sessions (id, agent_id, user_id, project_id, parent_id, title, pinned, "
      "created_us, "
      "updated_us, revision, message_count, stored_bytes, writer, envelope_md5, envelope) SELECT id, "
      "agent_id, "
      "user_id, project_id, parent_id, title, pinned, created_us, updated_us, revision, message_count, "
      "stored_bytes, writer, envelope_md5, envelope FROM row");
  const auto options = AppendOptions().idempotency_key("k");
  auto late = std::async(std::launch::async,
                         [&] { return blocking::append(*store, "s", one_message("x"), options); });
  wait_until_waiting(database, "transactionid");
  maker.run("COMMIT");  // the lock finds nothing: the row it waited for is gone
  wait_until_waiting(database, "advisory");
  const Written first = blocking::append(*other_store, "s", one_message("x"), options).value();
  holder.run("SELECT pg_advisory_unlock(7)");
  const Written second = late.get().value();
  CHECK_FALSE(first.replayed);
  CHECK(second.replayed);
  CHECK(second.revision == first.revision);
  CHECK(messages_of(*store, "s") == 2);
  CHECK(database.query("SELECT message_count FROM sessile.sessions") == "2");
}

TEST_CASE("A wrong password, a missing database and too many connections are unavailable, and keep secrets") {
  const Database database;
  register_postgres().value();
  PostgresServer& server = database.server;
  std::string wrong = database.url();
  wrong.replace(wrong.find(server.password()), server.password().size(), "swordfish");
  Error error = failed(blocking::load(*open_store(wrong).value(), "s"));
  CHECK(error.code() == Errc::unavailable);
  CHECK(error.detail() == "the server refused the user or the password");
  CHECK(error.message().find("swordfish") == std::string::npos);
  check_discreet(error, server);

  error = failed(blocking::load(*open_store(server.url("nowhere")).value(), "s"));
  CHECK(error.code() == Errc::unavailable);
  CHECK(error.detail() == "there is no such database on the server");

  database.query("CREATE ROLE limited LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 0");
  const std::string limited = "postgres://limited:hunter2@127.0.0.1:" + std::to_string(server.port()) + "/" +
                              database.name + "?retry_timeout=200ms";
  error = failed(blocking::load(*open_store(limited).value(), "s"));
  CHECK(error.code() == Errc::unavailable);
  CHECK(error.detail().starts_with("the server has too many connections"));
  CHECK(error.message().find("hunter2") == std::string::npos);
  database.query("DROP ROLE limited");

  // A port where nobody listens.
  error = failed(
      blocking::load(*open_store("postgres://u:hunter2@127.0.0.1:1/d?retry_timeout=200ms").value(), "s"));
  CHECK(error.code() == Errc::unavailable);
  CHECK(error.message().find("connection refused") != std::string::npos);
  CHECK(error.message().find("hunter2") == std::string::npos);
}

TEST_CASE("A server that takes no writes is unavailable, and says what finds the primary") {
  const Database database;
  const auto store = database.open("retry_timeout=500ms");
  blocking::save(*store, simple("s")).value();
  database.query("ALTER DATABASE " + database.name + " SET default_transaction_read_only = on");
  const auto reader = database.open("retry_timeout=500ms");
  CHECK(messages_of(*reader, "s") == 1);
  const Error error = failed(blocking::append(*reader, "s", one_message("x")));
  CHECK(error.code() == Errc::unavailable);
  CHECK(error.cause() == boost::system::errc::read_only_file_system);
  CHECK(error.detail().find("target_session_attrs") != std::string::npos);
}

TEST_CASE("A write that waits for another writer ends at its deadline, and nothing happened") {
  const Database database;
  const auto store = database.open("lock_timeout=400ms");
  blocking::save(*store, simple("s")).value();
  Other other(database);
  other.run("BEGIN; SELECT * FROM sessile.sessions FOR UPDATE");
  const Error locked = failed(blocking::append(*store, "s", one_message("x")));
  CHECK(locked.code() == Errc::locked);
  CHECK(locked.waited() == 400ms);
  const Error late = failed(blocking::append(*store, "s", one_message("x"), AppendOptions().timeout(100ms)));
  CHECK((late.code() == Errc::timed_out || late.code() == Errc::locked));
  other.run("COMMIT");
  blocking::append(*store, "s", one_message("y")).value();
  CHECK(messages_of(*store, "s") == 2);
}

TEST_CASE("A write that waits for another writer can be cancelled, and nothing happened") {
  const Database database;
  const auto store = database.open("lock_timeout=0s");
  blocking::save(*store, simple("s")).value();
  Other other(database);
  other.run("BEGIN; SELECT * FROM sessile.sessions FOR UPDATE");
  asio::io_context context(1);
  asio::cancellation_signal signal;
  std::optional<Result<Written>> outcome;
  asio::co_spawn(context, store->append("s", one_message("x")),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, Result<Written> result) {
                   outcome.emplace(std::move(result));
                 }));
  asio::steady_timer timer(context, 300ms);
  timer.async_wait([&](boost::system::error_code) { signal.emit(asio::cancellation_type::terminal); });
  context.run();
  REQUIRE(outcome);
  CHECK(failed(*outcome).code() == Errc::cancelled);
  other.run("COMMIT");
  CHECK(messages_of(*store, "s") == 1);
}

TEST_CASE("A write that was cancelled while the tables were made is not sent") {
  const Database database;
  // Outlasts the request to cancel: what the server is doing then succeeds.
  database.query(
      "CREATE FUNCTION outlast() RETURNS event_trigger LANGUAGE plpgsql AS $body$ BEGIN "
      "PERFORM pg_sleep(30); EXCEPTION WHEN query_canceled THEN NULL; END $body$; "
      "CREATE EVENT TRIGGER outlast ON ddl_command_end WHEN TAG IN ('CREATE SCHEMA') "
      "EXECUTE FUNCTION outlast()");
  const auto store = database.open();
  Cancellable save(store->save(simple("s")));
  wait_until_waiting(database, "PgSleep");
  save.cancel();
  CHECK(failed(save.outcome()).code() == Errc::cancelled);
  database.query("DROP EVENT TRIGGER outlast");
  CHECK(blocking::list(*store).value().items.empty());
  blocking::save(*store, simple("s"), SaveOptions().if_absent()).value();
}

TEST_CASE("A write that was cancelled while the server undid it is not sent again") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s")).value();
  database.on("BEFORE UPDATE", "sessions", "IF nth() = 1 THEN " + raise("40001") + " END IF;");
  std::promise<void> reached, cancelled;
  before_rollback = [&] {
    reached.set_value();
    cancelled.get_future().wait();
  };
  Cancellable append(store->append("s", one_message("x")));
  reached.get_future().wait();
  append.cancel();
  std::this_thread::sleep_for(300ms);  // on its way to the strand that is held
  cancelled.set_value();
  const auto outcome = append.outcome();
  before_rollback = nullptr;
  CHECK(failed(outcome).code() == Errc::cancelled);
  CHECK(messages_of(*store, "s") == 1);
}
