// A thousand sessions through the server and out again: identical.
#include "copy/varied_sessions.hpp"
#include "support/postgres_server.hpp"
#include "support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <fstream>

using namespace sessile;
using namespace sessile::testing;

TEST_CASE("A thousand sessions are the same after file to postgres to jsondir") {
  PostgresServer& server = shared_postgres();
  TemporaryDirectory place;
  const auto from = open_store("file:" + (place.path() / "from").string()).value();
  fill(from, 999);
  std::ofstream(place.path() / "from/odd.json")
      << R"({"session_id":"odd","messages":[],"created_at":"yesterday","updated_at":1767323045})";
  const std::vector<std::string> expected = documents_of(from);
  REQUIRE(expected.size() == 1000);
  const auto middle = open_store(server.url(server.make_database()) + "?durability=process").value();
  const auto to = open_store("jsondir:" + (place.path() / "to").string() + "?durability=process").value();
  const CopyReport in = run(sessile::copy(from, middle)).value();
  for (const Error& error : in.failed)
    MESSAGE(error.message());
  CHECK(in.copied == 1000);
  CHECK(in.verified == 1000);
  const CopyReport out = run(sessile::copy(middle, to)).value();
  CHECK(out.copied == 1000);
  CHECK(out.verified == 1000);
  CHECK(documents_of(to) == expected);
  run(from->append("plain-6", Message("user", "more"))).value();
  CHECK(run(sessile::copy(from, middle)).value().recopied == 1);
  CHECK(run(sessile::copy(from, middle, CopyOptions().verify_only())).value().verified == 1000);
}
