// What is on the server's disk when a write is acknowledged, and what a flush vouches for.
#include "backends/postgres/store.hpp"
#include "postgres/fixture.hpp"
#include "postgres/others.hpp"

#include <functional>
#include <future>

using namespace sessile;
using namespace sessile::testing;

namespace {

/// Counts the flushes that waited for a commit.
std::string flushes(const Database& database) {
  return database.query("SELECT synced FROM sessile.store");
}

/// Which transaction wrote the row of the only session.
std::string row_writer(const Database& database) {
  return database.query("SELECT xmin FROM sessile.sessions");
}

}  // namespace

TEST_CASE("Each durability is a synchronous_commit, whatever the server's default is") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s")).value();
  database.query("CREATE TABLE seen(setting text)");
  database.on("BEFORE UPDATE", "sessions",
              "INSERT INTO seen VALUES (current_setting('synchronous_commit'));");
  const auto seen = [&](const char* configured, Durability durability) {
    database.query(std::string("TRUNCATE seen; ALTER DATABASE ") + database.name +
                   " SET synchronous_commit = " + configured);
    const auto fresh = database.open();
    blocking::append(*fresh, "s", one_message("x"), AppendOptions().durability(durability)).value();
    return database.query("SELECT setting FROM seen");
  };
  CHECK(seen("on", Durability::power) == "on");
  CHECK(seen("off", Durability::power) == "on");
  CHECK(seen("remote_apply", Durability::power) == "remote_apply");
  CHECK(seen("local", Durability::power) == "local");
  CHECK(seen("on", Durability::process) == "off");
  CHECK(seen("remote_apply", Durability::none) == "off");
  // A flush takes what was not waited for to the disk: a commit that is waited for.
  database.query("ALTER DATABASE " + database.name + " RESET synchronous_commit");
  const auto quick = database.open("durability=process");
  blocking::append(*quick, "s", one_message("x")).value();
  const std::string before = flushes(database);
  blocking::flush(*quick).value();
  CHECK(flushes(database) != before);
  CHECK(database.query("SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn() < 10000") == "t");
}

TEST_CASE("An update that changes nothing is as durable as it says, whoever wrote what is there") {
  const Database database;
  blocking::save(*database.open("durability=process"), simple("s")).value();
  const auto store = database.open();
  const std::string before = row_writer(database);
  const auto nothing = [](Session&) {};
  blocking::update(*store, "s", nothing, UpdateOptions().durability(Durability::process)).value();
  CHECK(row_writer(database) == before);
  const SessionPtr same = blocking::update(*store, "s", nothing).value();
  CHECK(row_writer(database) != before);
  CHECK(blocking::load(*store, "s").value()->revision == same->revision);
}

TEST_CASE("An append of nothing is as durable as it says, whoever wrote what is there") {
  const Database database;
  const Written saved = blocking::save(*database.open("durability=process"), simple("s")).value();
  const auto store = database.open();
  for (const std::string key : {"", "k"}) {
    CAPTURE(key);
    AppendOptions options;
    options.idempotency_key(key);
    const std::string before = row_writer(database);
    options.durability(Durability::process);
    blocking::append(*store, "s", {}, options).value();
    CHECK(row_writer(database) == before);
    options.durability(Durability::power);
    CHECK(blocking::append(*store, "s", {}, options).value().revision == saved.revision);
    CHECK(row_writer(database) != before);
  }
  CHECK(blocking::load(*store, "s").value()->revision == saved.revision);
}

TEST_CASE("A flush is over when what came before it is on the disk, whoever else flushes") {
  const Database database;
  const auto store = database.open("durability=process&lock_timeout=2s");
  blocking::save(*store, simple("s")).value();
  const std::string before = flushes(database);
  Other other(database);
  other.run("BEGIN; SELECT * FROM sessile.store FOR UPDATE");
  auto first = std::async(std::launch::async, [&] { return blocking::flush(*store); });
  wait_until_waiting(database, "transactionid");
  CHECK(failed(blocking::flush(*store)).code() == Errc::locked);
  CHECK(failed(first.get()).code() == Errc::locked);
  other.run("COMMIT");
  CHECK(flushes(database) == before);
  blocking::flush(*store).value();
  const std::string after = flushes(database);
  CHECK(after != before);
  // Nothing to wait for.
  blocking::flush(*store).value();
  CHECK(flushes(database) == after);
}

TEST_CASE("A flush takes along what a replayed append acknowledged again") {
  const Database database;
  const auto store = database.open("durability=process"), other = database.open("durability=process");
  blocking::save(*store, simple("s")).value();
  const auto options = AppendOptions().idempotency_key("k");
  blocking::append(*store, "s", one_message("x"), options).value();
  CHECK(blocking::append(*other, "s", one_message("x"), options).value().replayed);
  const std::string before = flushes(database);
  blocking::flush(*other).value();
  CHECK(flushes(database) != before);
}

TEST_CASE("A flush takes along what was acknowledged though nothing was written") {
  const Database database;
  blocking::save(*database.open("durability=process"), simple("s")).value();
  const auto is_flushed_after = [&](const std::function<void(SessionStore&)>& use) {
    const auto store = database.open("durability=process");
    use(*store);
    const std::string before = flushes(database);
    blocking::flush(*store).value();
    return flushes(database) != before;
  };
  const auto keyed = AppendOptions().idempotency_key("k");
  CHECK(is_flushed_after([](SessionStore& to) { blocking::update(to, "s", [](Session&) {}).value(); }));
  CHECK(is_flushed_after([](SessionStore& to) { blocking::append(to, "s", {}).value(); }));
  CHECK(is_flushed_after([&](SessionStore& to) { blocking::append(to, "s", {}, keyed).value(); }));
  // Who only reads was promised nothing.
  CHECK_FALSE(is_flushed_after([](SessionStore& to) { blocking::load(to, "s").value(); }));
}

TEST_CASE("A flush does not vouch for what a server that crashed since may have lost") {
  const Database database;
  const auto store = database.open("durability=process");
  blocking::save(*store, simple("s")).value();
  blocking::flush(*store).value();
  blocking::append(*store, "s", one_message("x")).value();
  database.server.kill_all();
  database.server.start();
  CHECK(failed(blocking::flush(*store)).code() == Errc::indeterminate);
  blocking::flush(*store).value();
  blocking::append(*store, "s", one_message("y")).value();
  blocking::flush(*store).value();
}

TEST_CASE("A flush does not vouch for a server that had not answered when an operation was given up") {
  const Database database;
  const auto store = database.open("durability=process");
  blocking::save(*store, simple("s")).value();
  Other other(database);
  other.run("BEGIN; LOCK TABLE sessile.messages IN ACCESS EXCLUSIVE MODE");
  // A read that is cancelled waits for no answer.
  Cancellable load(store->load("s"));
  wait_until_waiting(database, "relation");
  load.cancel();
  CHECK(failed(load.outcome()).code() == Errc::cancelled);
  other.run("COMMIT");
  CHECK(failed(blocking::flush(*store)).code() == Errc::indeterminate);
  blocking::flush(*store).value();
}

TEST_CASE("What was noted while a flush ran and connections broke is not vouched for by the next either") {
  postgres::Unflushed unflushed;
  CHECK_FALSE(unflushed.noted());
  unflushed.note(0);
  const auto first = unflushed.noted();
  REQUIRE(first);
  unflushed.note(0);  // before the break: what crashed may have lost it
  CHECK_FALSE(unflushed.flushed(*first, 1));
  const auto second = unflushed.noted();
  REQUIRE(second);
  CHECK_FALSE(unflushed.flushed(*second, 1));
  CHECK_FALSE(unflushed.noted());
  unflushed.note(1);
  const auto third = unflushed.noted();
  REQUIRE(third);
  CHECK(unflushed.flushed(*third, 1));
  CHECK_FALSE(unflushed.noted());
}
