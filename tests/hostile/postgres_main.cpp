// The limits on a PostgreSQL server: the tests of this folder that take a store by its URL, with one.
#define DOCTEST_CONFIG_IMPLEMENT
#include "support/postgres_server.hpp"

#include <sessile/postgres.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

int main(int count, char** words) {
  using namespace sessile::testing;
  if (const std::string reason = why_no_postgres(); !reason.empty()) {
    std::printf("skipped: %s\n", reason.c_str());
    return kSkipped;
  }
  std::signal(SIGPIPE, SIG_IGN);
  sessile::register_postgres().value();
  PostgresServer& server = shared_postgres();
  ::setenv("SESSILE_LIMITS_URL", server.url(server.make_database()).c_str(), 1);
  return doctest::Context(count, words).run();
}
