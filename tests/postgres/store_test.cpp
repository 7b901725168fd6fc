// The store on a real server: its tables, its plans, its pool, and what strangers put into strings.
#include "backends/postgres/store.hpp"
#include "postgres/fixture.hpp"

#include <boost/asio/thread_pool.hpp>

#include <libpq-fe.h>

#include <future>
#include <limits>
#include <set>
#include <thread>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

/// The plan the server makes for a statement with these values.
std::string plan_of(const Database& database, const postgres::Statement& statement,
                    const std::vector<postgres::Parameter>& parameters) {
  const std::unique_ptr<PGconn, void (*)(PGconn*)> connection(PQconnectdb(database.url().c_str()), PQfinish);
  REQUIRE(PQstatus(connection.get()) == CONNECTION_OK);
  std::vector<Oid> types;
  std::vector<const char*> values;
  std::vector<int> sizes;
  for (const postgres::Parameter& parameter : parameters) {
    types.push_back(parameter.type());
    values.push_back(parameter.data());
    sizes.push_back(parameter.size());
  }
  const std::vector<int> formats(types.size(), 1);
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result(
      PQexecParams(connection.get(), ("EXPLAIN (COSTS OFF) " + statement.text).c_str(),
                   static_cast<int>(types.size()), types.data(), values.data(), sizes.data(), formats.data(),
                   0),
      PQclear);
  REQUIRE_MESSAGE(PQresultStatus(result.get()) == PGRES_TUPLES_OK, PQresultErrorMessage(result.get()));
  std::string plan;
  for (int row = 0; row < PQntuples(result.get()); ++row)
    plan += std::string(PQgetvalue(result.get(), row, 0)) + "\n";
  return plan;
}

/// 20,000 sessions of 200 agents, each user and project with 20, of two messages each.
void fill(const Database& database) {
  database.query(
      "INSERT INTO sessile.sessions (id, agent_id, user_id, project_id, parent_id, pinned, created_us, "
      "updated_us, "
      "revision, message_count, stored_bytes, writer, envelope_md5, envelope) "
      "SELECT 'id' || n, 'agent' || n % 200, '\"user' || n % 1000 || '\"', '\"project' || n % 1000 || '\"', "
      "'', "
      "false, n, n, n, 2, 100, n, md5('{}'), '{}' FROM generate_series(1, 20000) n; "
      "INSERT INTO sessile.messages SELECT 'id' || n / 2, n % 2 + 1, '{}' FROM generate_series(2, 40001) n; "
      "ANALYZE sessile.sessions; ANALYZE sessile.messages");
}

/// What strangers write into strings, hoping that it runs.
const std::vector<std::string>& hostile() {
  static const std::vector<std::string> texts = {
      "'; DROP SCHEMA sessile CASCADE; --",
      "\"; DROP SCHEMA sessile CASCADE; --",
      "\\'; DROP SCHEMA sessile CASCADE; --",
      "$1",
      "$$; DROP SCHEMA sessile CASCADE; $$",
      "%s%n",
      "a\\",
      "{\"a\":1}",
      "NULL",
      "E'\\000'",
      "\xEF\xBC\x87; DROP SCHEMA sessile CASCADE; --",
  };
  return texts;
}

asio::awaitable<void> write_often(StorePtr store, std::string id,
                                  std::shared_ptr<std::atomic<int>> failures) {
  for (int i = 0; i < 5; ++i) {
    Session session = simple(id);
    const auto written = co_await store->save(std::move(session));
    if (!written) ++*failures;
  }
}

}  // namespace

TEST_CASE("Listings, appends and removals find their rows by indexes in a filled store") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s")).value();
  fill(database);
  const postgres::Statements sql("\"sessile\"");
  const auto plan = [&](const ListQuery& query) {
    const postgres::Listing listing = postgres::listing_of(query, sql).value();
    return plan_of(database, listing.statement, listing.parameters);
  };
  const auto uses = [](const std::string& text, std::string_view index) {
    CAPTURE(text);
    CHECK(text.find(index) != std::string::npos);
    CHECK(text.find("Seq Scan") == std::string::npos);
    CHECK(text.find("Sort Key: s.id") == std::string::npos);
  };
  uses(plan(ListQuery()), "sessions_newest");
  uses(plan(ListQuery().agent("agent7")), "sessions_agent");
  uses(plan(ListQuery().user("user7")), "sessions_user");
  uses(plan(ListQuery().project("project7")), "sessions_project");
  uses(plan(ListQuery().updated_since(TimePoint(19'000us))), "sessions_newest");
  uses(plan(ListQuery().order(Order::id)), "sessions_pkey");
  SessionSummary last;
  last.id = "id5000";
  last.updated_at = TimePoint(5000us);
  const std::string cursor = encode_cursor(ListQuery(), last);
  uses(plan(ListQuery().cursor(cursor)), "sessions_newest");
  CHECK(plan(ListQuery().cursor(cursor)).find("Index Cond: (updated_us <=") != std::string::npos);

  using postgres::Parameter;
  uses(plan_of(database, sql.unsound, {}), "sessions_unsound");
  uses(plan_of(database, sql.load,
               {Parameter::text(std::string("id7")), Parameter::integer(10), Parameter::integer(1 << 20)}),
       "messages_pkey");
  uses(plan_of(database, sql.remove_messages, {Parameter::text(std::string("id7"))}), "messages_pkey");
  uses(plan_of(database, sql.cut_messages,
               {Parameter::text(std::string("id7")), Parameter::integer(7), Parameter::integer(0)}),
       "messages_pkey");
  CHECK(blocking::list(*store, ListQuery().agent("agent7").limit(3)).value().items.size() == 3);
  // They are rows for the planner, and no sessions.
  database.query(
      "DELETE FROM sessile.messages WHERE session_id LIKE 'id%'; "
      "DELETE FROM sessile.sessions WHERE id LIKE 'id%'");
}

TEST_CASE("An append writes its own rows, an update those that changed") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s").add_message("assistant", "b").add_message("user", "c")).value();
  const auto rows = [&] {
    return database.query(
        "SELECT string_agg(xmin::text, ',' ORDER BY seq) FROM sessile.messages WHERE seq <= 3");
  };
  const std::string before = rows();
  blocking::append(*store, "s", one_message("d")).value();
  blocking::append(*store, "s", one_message("e"), AppendOptions().idempotency_key("k")).value();
  blocking::update(*store, "s", [](Session& session) {
    session.set_title("t");
    session.messages.back().content = "E";
    session.add_message("user", "f");
  }).value();
  CHECK(rows() == before);
  const SessionPtr loaded = blocking::load(*store, "s").value();
  REQUIRE(loaded->messages.size() == 6);
  CHECK(loaded->messages[4].content == "E");
  blocking::update(*store, "s", [](Session& session) { session.messages.resize(2); }).value();
  CHECK(database.query("SELECT count(*) FROM sessile.messages") == "2");
  blocking::remove(*store, "s").value();
  CHECK(database.query(
            "SELECT (SELECT count(*) FROM sessile.messages) + (SELECT count(*) FROM sessile.appends)") ==
        "0");
}

TEST_CASE("An update writes a message that differs in nothing but its text") {
  const Database database;
  const auto store = database.open();
  const TimePoint time = parse_time("2026-11-20T09:30:00Z").value();
  Session session = simple("s");
  session.add_message("user", json::value{{"a", 1}, {"b", 2}}).add_message("user", json::value{{"n", 0.0}});
  session.add_message("user", "timed").add_message("user", "last");
  session.messages[3].timestamp = Timestamp(time, "\"2026-11-20T10:30:00+01:00\"");
  blocking::save(*store, session).value();
  const auto check_update = [&](const Mutation& mutation) {
    const SessionPtr updated = blocking::update(*store, "s", mutation).value();
    const SessionPtr loaded = blocking::load(*store, "s").value();
    CHECK(encode_session(*loaded) == encode_session(*updated));
  };
  check_update([](Session& s) { s.set_title("1").messages[1].content = {{"b", 2}, {"a", 1}}; });
  check_update([](Session& s) { s.set_title("2").messages[2].content = {{"n", -0.0}}; });
  check_update([&](Session& s) { s.set_title("3").messages[3].timestamp = time; });
}

TEST_CASE("A time that nobody can read stays one, and is not taken for the year 1970") {
  const Database database;
  Session session =
      decode_session(R"({"session_id":"s","agent_id":"a","created_at":"once","updated_at":"soon"})",
                     Origin::caller)
          .value();
  const auto store = database.open();
  blocking::save(*store, session, SaveOptions().times(Times::preserve)).value();
  const SessionPtr loaded = blocking::load(*store, SessionId("s")).value();
  CHECK_FALSE(loaded->updated_at.is_set());
  CHECK(loaded->updated_at.original() == "\"soon\"");
  CHECK_FALSE(loaded->created_at.is_set());
  CHECK_FALSE(blocking::list(*store).value().items.at(0).updated_at.is_set());
}

TEST_CASE("A keyed append remembers the last 64 keys and no more") {
  const Database database;
  const auto store = database.open("durability=process");
  blocking::save(*store, simple("s")).value();
  for (int i = 0; i < 70; ++i) {
    blocking::append(*store, "s", one_message("x"), AppendOptions().idempotency_key(std::to_string(i)))
        .value();
  }
  CHECK(database.query("SELECT count(*), min(revision) - (SELECT revision FROM sessile.sessions) FROM "
                       "sessile.appends") == "64|-63");
}

TEST_CASE("A session made again by a machine whose clock is behind repeats no revision") {
  const Database database;
  const auto clock = std::make_shared<ManualClock>();
  const auto ahead = database.open("", OpenOptions().clock(clock));
  clock->advance(48h);
  blocking::save(*ahead, simple("s")).value();
  const Revision last = blocking::append(*ahead, "s", one_message("x")).value().revision;
  blocking::remove(*ahead, "s").value();
  const auto behind = database.open("", OpenOptions().clock(std::make_shared<ManualClock>()));
  const Written again = blocking::save(*behind, simple("s"), SaveOptions().if_absent()).value();
  CHECK(again.revision == last + 1);
  CHECK(blocking::load(*behind, "s").value()->revision == last + 1);
  // What no clock can meet again is swept.
  clock->advance(24h * 30);
  blocking::save(*ahead, simple("t")).value();
  blocking::remove(*ahead, "t").value();
  CHECK(database.query("SELECT string_agg(id, ',') FROM sessile.retired") == "t");
}

TEST_CASE("A revision that no session can have is a conflict, or not_found where there is none") {
  const Database database;
  const auto store = database.open();
  const Revision stored = blocking::save(*store, simple("s")).value().revision;
  const Revision huge = std::numeric_limits<Revision>::max();
  const auto options = AppendOptions().if_revision(huge);
  const Error error = failed(blocking::append(*store, "s", one_message("x"), options));
  CHECK(error.code() == Errc::conflict);
  CHECK(error.expected() == huge);
  CHECK(error.actual() == stored);
  CHECK(failed(blocking::append(*store, "t", one_message("x"), options)).code() == Errc::not_found);
  CHECK(failed(blocking::remove(*store, "s", RemoveOptions().if_revision(huge))).code() == Errc::conflict);
  CHECK(failed(blocking::save(*store, simple("s"), SaveOptions().if_revision(huge))).code() ==
        Errc::conflict);
  CHECK(blocking::load(*store, "s").value()->revision == stored);
}

TEST_CASE("The tables are made once, however many stores start at the same time") {
  const Database database;
  asio::thread_pool threads(4);
  const auto failures = std::make_shared<std::atomic<int>>(0);
  for (int i = 0; i < 12; ++i)
    asio::co_spawn(threads, write_often(database.open("pool_size=2"), "s" + std::to_string(i), failures),
                   asio::detached);
  threads.join();
  CHECK(failures->load() == 0);
  CHECK(database.query("SELECT count(*), (SELECT version FROM sessile.store) FROM sessile.sessions") ==
        "12|1");
}

TEST_CASE("A place that is not there is empty, or unavailable when it is not to be made") {
  const Database database;
  const auto store = database.open();
  CHECK(blocking::list(*store).value().items.empty());
  CHECK(failed(blocking::load(*store, "s")).code() == Errc::not_found);
  CHECK(database.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'sessile'") == "0");
  const auto refusing = database.open("create=false");
  CHECK(failed(blocking::list(*refusing)).code() == Errc::unavailable);
  CHECK(failed(blocking::save(*refusing, simple("s"))).code() == Errc::unavailable);
  blocking::save(*store, simple("s")).value();
  blocking::load(*refusing, "s").value();
  // Dropped under the store: made again by the next write.
  database.query("DROP SCHEMA sessile CASCADE");
  CHECK(blocking::list(*store).value().items.empty());
  blocking::save(*store, simple("t")).value();
  CHECK(blocking::list(*store).value().items.size() == 1);
  database.query("UPDATE sessile.store SET version = 99");
  const auto old = database.open();
  CHECK(failed(blocking::save(*old, simple("s"))).code() == Errc::unsupported);
  CHECK(failed(blocking::list(*old)).code() == Errc::unsupported);
  database.query("UPDATE sessile.store SET version = 1");
}

TEST_CASE("Who may only use a schema that is there already needs no more rights") {
  const Database database;
  database.query(
      "CREATE ROLE modest LOGIN PASSWORD 'pw'; CREATE SCHEMA sessile AUTHORIZATION modest; "
      "REVOKE CREATE ON DATABASE " +
      database.name + " FROM PUBLIC");
  register_postgres().value();
  const auto store = open_store("postgres://modest:pw@127.0.0.1:" + std::to_string(database.server.port()) +
                                "/" + database.name)
                         .value();
  blocking::save(*store, simple("s")).value();
  CHECK(blocking::load(*store, "s").value()->messages.size() == 1);
  blocking::close(*store).value();
  database.query("DROP OWNED BY modest; DROP ROLE modest");
}

TEST_CASE("Strings are values, never statements") {
  const Database database;
  const auto store = database.open();
  for (const std::string& text : hostile()) {
    CAPTURE(text);
    Session session =
        Session(SessionId(text)).set_agent(text).set_user(text).set_project(text).set_title(text);
    session.set_parent(text).set_metadata(text, json::value(json::string(text)));
    session.add_message(text, json::value(json::string(text)));
    blocking::save(*store, session).value();
    blocking::append(*store, text, one_message(text), AppendOptions().idempotency_key(text)).value();
    session.messages.push_back(one_message(text).front());
    Session loaded = *blocking::load(*store, text).value();
    session.created_at = loaded.created_at;
    CHECK(loaded.same_content(session));
    ListQuery query;
    query.agent(text).user(text).project(text);
    for (const Order order : {Order::newest_first, Order::id}) {
      const auto page = blocking::list(*store, query.order(order)).value();
      REQUIRE(page.items.size() == 1);
      CHECK(page.items[0].title == text);
    }
    CHECK(blocking::list_for_agent(*store, text).value().items.size() == 1);
  }
  CHECK(database.query("SELECT count(*) FROM sessile.sessions") == std::to_string(hostile().size()));
  for (const std::string& bad : {std::string("a\0b", 3), std::string("\xff"), std::string("\xED\xA0\x80")}) {
    CHECK(failed(blocking::save(*store, simple(bad))).code() == Errc::invalid_argument);
    CHECK(failed(blocking::load(*store, bad)).code() == Errc::invalid_argument);
    CHECK(failed(blocking::list_for_agent(*store, bad)).code() == Errc::invalid_argument);
  }
  // A filter that is no text the server could hold finds nothing and harms nobody.
  const auto none = blocking::list(*store, ListQuery().user(std::string("a\0b", 3)));
  CHECK(none.value().items.empty());
}

TEST_CASE("A schema with a hostile name holds a store of its own") {
  const Database database;
  const std::string name = "x\"; DROP SCHEMA public CASCADE; --";
  const auto store = make_postgres_store(database.url(), PostgresOptions().schema(name)).value();
  blocking::save(*store, simple("s")).value();
  CHECK(blocking::load(*store, "s").value()->messages.size() == 1);
  CHECK(database.query("SELECT count(*) FROM pg_namespace WHERE nspname IN ('public', "
                       "'x\"; DROP SCHEMA public CASCADE; --')") == "2");
  CHECK(blocking::list(*database.open()).value().items.empty());
  check_sound(*store);
}

TEST_CASE("A pool keeps to its limit, and lets its connections go when it is closed") {
  const Database database;
  const auto store = database.open("pool_size=3&durability=process");
  blocking::save(*store, simple("s")).value();
  asio::thread_pool threads(4);
  const auto failures = std::make_shared<std::atomic<int>>(0);
  for (int i = 0; i < 40; ++i)
    asio::co_spawn(threads, write_often(store, "s" + std::to_string(i), failures), asio::detached);
  const std::string count =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sessile' AND datname = '" +
      database.name + "'";
  for (int i = 0; i < 10; ++i)
    CHECK(std::stoi(database.query(count)) <= 3);
  threads.join();
  CHECK(failures->load() == 0);
  CHECK(database.query("SELECT count(*) FROM sessile.sessions") == "41");
  blocking::close(*store).value();
  for (int i = 0; i < 100 && database.query(count) != "0"; ++i)
    std::this_thread::sleep_for(100ms);
  CHECK(database.query(count) == "0");
}

TEST_CASE("A store outlives its connections, and its server's restart") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s")).value();
  database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sessile'");
  blocking::append(*store, "s", one_message("x")).value();
  database.server.restart();
  blocking::append(*store, "s", one_message("y")).value();
  database.server.kill_all();
  auto later = std::async(std::launch::async, [&] {
    std::this_thread::sleep_for(500ms);
    database.server.start();
  });
  CHECK(blocking::load(*store, "s").value()->messages.size() == 3);
  later.get();
}

TEST_CASE("A timeout that the server's settings cannot hold is its longest") {
  const Database database;
  const auto store = database.open("lock_timeout=40000m");
  const auto long_one = SaveOptions().timeout(std::chrono::hours(24 * 60));
  blocking::save(*store, simple("s"), long_one).value();
  blocking::save(*store, simple("s"), SaveOptions().timeout(std::chrono::milliseconds::max())).value();
}

TEST_CASE("A warning of the server about something else does not put a commit in doubt") {
  const Database database;
  const auto store = database.open();
  blocking::save(*store, simple("s")).value();
  database.on("BEFORE UPDATE", "sessions", "RAISE WARNING 'must be vacuumed';");
  blocking::append(*store, "s", one_message("x")).value();
}

TEST_CASE("A row that was tampered with is reported and left alone") {
  const Database database;
  const auto store = database.open();
  for (const char* id : {"a", "b", "c", "d"})
    blocking::save(*store, simple(id)).value();
  database.query(
      "UPDATE sessile.sessions SET title = 'no JSON' WHERE id = 'a'; "
      "UPDATE sessile.messages SET body = '{' WHERE session_id = 'b'; "
      "DELETE FROM sessile.messages WHERE session_id = 'c'");
  const auto page = blocking::list(*store, ListQuery().order(Order::id)).value();
  CHECK(page.items.size() == 3);
  REQUIRE(page.unreadable.size() == 1);
  CHECK(page.unreadable[0].key() == "a");
  for (const char* id : {"a", "b", "c"})
    CHECK(failed(blocking::load(*store, id)).code() == Errc::corrupt);
  CHECK(blocking::list_for_agent(*store, "a").value().items.size() == 1);
  CHECK(blocking::list_for_agent(*store, "a").value().unreadable.size() == 3);
  database.sound.expect(FindingKind::corrupt);
}

TEST_CASE("A write that was committed says so, whatever else is wrong with its row") {
  const Database database;
  const auto store = database.open();
  const Written first = blocking::save(*store, simple("s")).value();
  database.query("UPDATE sessile.sessions SET created_text = 'no JSON'");
  const Written second = blocking::append(*store, "s", one_message("x")).value();
  CHECK(second.revision == first.revision + 1);
  CHECK(second.created_at == first.created_at);
  CHECK(blocking::save(*store, simple("s")).value().revision == first.revision + 2);
  CHECK(database.query("SELECT revision FROM sessile.sessions") == std::to_string(first.revision + 2));
  // What writes nothing has nothing to say but that.
  CHECK(failed(blocking::append(*store, "s", {})).code() == Errc::corrupt);
  CHECK(failed(blocking::append(*store, "s", one_message("x"), AppendOptions().if_revision(7))).code() ==
        Errc::corrupt);
  CHECK(failed(blocking::load(*store, "s")).code() == Errc::corrupt);
  database.sound.expect(FindingKind::corrupt);
}
