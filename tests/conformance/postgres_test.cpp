// The suite against the postgres backend on a real server, in each of its durabilities. A program of its own,
// since it is the second process as well.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "conformance/harnesses.hpp"
#include "support/postgres_server.hpp"
#include "support/sound.hpp"

#include <sessile/postgres.hpp>

#include <csignal>
#include <cstdio>

namespace sessile::conformance {
namespace {

/// An SQL string literal.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

/// Runs the suite in a database of its own.
void check_with(const std::string& parameters, const std::string& schema) {
  testing::PostgresServer& server = testing::shared_postgres();
  const std::string database = server.make_database();
  Harness harness = shared_harness(server.url(database) + parameters);
  harness.corrupt = [&server, database, schema](SessionId id) -> Result<void> {
    const std::string changed =
        server.query("UPDATE " + schema + ".sessions SET envelope = '{\"this is\": garbage' " +
                         "WHERE id = " + quoted(id.str()) + " RETURNING 'changed'",
                     database);
    if (!changed.starts_with("changed")) return Error(Errc::not_found, "there is no such row");
    return success();
  };
  harness.discard = [&server, database, schema](SessionId id) {
    server.query("DELETE FROM " + schema + ".sessions WHERE id = " + quoted(id.str()), database);
    return success();
  };
  check_conformance(harness, {"no durability is stronger"});
  // What the suite damaged it has also discarded.
  testing::check_sound(server.url(database) + parameters);
}

}  // namespace

TEST_CASE("The postgres backend passes the conformance suite with its default durability") {
  check_with("", "sessile");
}

TEST_CASE("The postgres backend passes the conformance suite with durability=process") {
  check_with("?durability=process&pool_size=3&schema=Two%20%22words%22", "\"Two \"\"words\"\"\"");
}

}  // namespace sessile::conformance

int main(int argc, char** argv) {
  sessile::register_postgres().value();
  std::signal(SIGPIPE, SIG_IGN);
  int exit_code = 0;
  if (sessile::conformance::run_as_second_process(argc, argv, exit_code)) return exit_code;
  if (const std::string reason = sessile::testing::why_no_postgres(); !reason.empty()) {
    std::printf("skipped: %s\n", reason.c_str());
    return sessile::testing::kSkipped;
  }
  return doctest::Context(argc, argv).run();
}
