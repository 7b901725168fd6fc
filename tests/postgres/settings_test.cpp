// What a URL and a schema's name may hold. Needs no server.
#include "backends/postgres/settings.hpp"

#include <sessile/postgres.hpp>

#include <doctest/doctest.h>

using namespace sessile;

namespace {

/// The part of `url` that goes to libpq.
Result<std::string> split(const std::string& url, PostgresOptions& options, OpenOptions& open) {
  auto parsed = StoreUrl::parse(url);
  if (!parsed) return parsed.error();
  return postgres::split_url(*parsed, options, open);
}

Error refusal(const std::string& url) {
  register_postgres().value();
  const auto store = open_store(url);
  REQUIRE_FALSE(store.has_value());
  return store.error();
}

}  // namespace

TEST_CASE("A schema's name is quoted, or refused") {
  CHECK(postgres::quoted_schema("sessile").value() == "\"sessile\"");
  CHECK(postgres::quoted_schema("A \"b\"; DROP SCHEMA x; --").value() ==
        "\"A \"\"b\"\"; DROP SCHEMA x; --\"");
  CHECK(postgres::quoted_schema("caf\xC3\xA9").value() == "\"caf\xC3\xA9\"");
  CHECK(postgres::quoted_schema(std::string(63, 'x')).has_value());
  for (const std::string& name :
       {std::string(), std::string(64, 'x'), std::string("a\0b", 3), std::string("a\nb"), std::string("\xff"),
        std::string("pg_x"), std::string("information_schema")}) {
    CAPTURE(name);
    const auto quoted = postgres::quoted_schema(name);
    CHECK_FALSE(quoted.has_value());
    CHECK(quoted.error().code() == Errc::invalid_argument);
    CHECK_FALSE(make_postgres_store("dbname=x", PostgresOptions().schema(name)).has_value());
  }
}

TEST_CASE("Sessile's parameters are taken out of the URL and libpq gets the rest as it was") {
  PostgresOptions options;
  OpenOptions open;
  const auto left = split(
      "postgresql://user:p%40ss%2Fw@one:1,two:2/"
      "d%20b?target_session_attrs=read-write&schema=S%C3%A9&durability="
      "process&sslmode=verify-full&pool_size=3&lock_timeout=250ms&retry_timeout=1m&mode=ro&create=false"
      "&options=-c%20geqo%3Doff",
      options, open);
  CHECK(left.value() ==
        "postgresql://user:p%40ss%2Fw@one:1,two:2/d%20b?target_session_attrs=read-write&sslmode=verify-full"
        "&options=-c%20geqo%3Doff");
  CHECK(options.schema() == "S\xC3\xA9");
  CHECK(options.pool_size() == 3);
  CHECK(options.lock_timeout() == std::chrono::milliseconds(250));
  CHECK(options.retry_timeout() == std::chrono::minutes(1));
  CHECK(open.durability() == Durability::process);
  CHECK(open.access() == Access::read_only);
  CHECK(open.missing_place() == MissingPlace::refuse);
  CHECK(split("postgres://h/d?schema=s", options, open).value() == "postgres://h/d");
  CHECK(split("postgres://h/d", options, open).value() == "postgres://h/d");
}

TEST_CASE("What neither Sessile nor libpq knows is refused by name") {
  const Error error = refusal("postgres://h/d?passwrod=hunter2");
  CHECK(error.code() == Errc::invalid_argument);
  CHECK(error.message().find("passwrod") != std::string::npos);
  CHECK(error.message().find("hunter2") == std::string::npos);
  for (const char* parameters :
       {"pool_size=0", "pool_size=1001", "pool_size=x", "lock_timeout=5", "schema=pg_x",
        "schema=", "retry_timeout=-1s", "durability=most", "sslmode"}) {
    CAPTURE(parameters);
    CHECK(refusal(std::string("postgres://h/d?") + parameters).code() == Errc::invalid_argument);
  }
}

TEST_CASE("No refusal of a connection string shows any of it") {
  for (const char* url : {"postgres://user:hunter2%ZZ@host/d", "postgres://user:hunter2@host:port/d",
                          "postgres://user:hunt/er2@host:x/d", "postgres://[hunter2/d",
                          "postgres://u:hunter2@h/d?a=%", "postgres://u:x?hunter2@h/d?sslmode=require",
                          "postgres://u:x?hunter=1&hunter=2@h/d", "postgres://u:x?hunter=2@h/d"}) {
    CAPTURE(url);
    register_postgres().value();
    const auto store = open_store(url);
    if (store) continue;  // libpq finds out when it connects
    CHECK(store.error().code() == Errc::invalid_argument);
    CHECK(store.error().message().find("hunt") == std::string::npos);
    CHECK(store.error().message().find("er2") == std::string::npos);
  }
  CHECK_FALSE(make_postgres_store(std::string("dbname=x\0y", 10)).has_value());
  CHECK_FALSE(make_postgres_store("host='unclosed password=hunter2").has_value());
}

TEST_CASE("The list of hosts begins with any of them, its ports with it") {
  const postgres::Target three = postgres::check_connection("postgres://a:1,b:2,c:3/d").value();
  CHECK(three.hosts == 3);
  CHECK(three.list_from(three.host, 0) == "a,b,c");
  CHECK(three.list_from(three.host, 1) == "b,c,a");
  CHECK(three.list_from(three.port, 5) == "3,1,2");
  const postgres::Target shared = postgres::check_connection("host=a,b port=7").value();
  CHECK(shared.hosts == 2);
  CHECK(shared.list_from(shared.port, 1) == "7");
  CHECK(postgres::check_connection("hostaddr=::1,::2").value().hosts == 2);
  CHECK(postgres::check_connection("postgres:///d").value().hosts == 1);
}

TEST_CASE("A malformed port is refused before anything is connected") {
  CHECK(postgres::check_connection("postgres://h/d").has_value());
  CHECK(postgres::check_connection("host=a,b connect_timeout=3").value().per_host == std::chrono::seconds(3));
  CHECK(postgres::check_connection("mydb").has_value());
}
