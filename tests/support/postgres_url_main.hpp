// The main of a test program whose tests take a store by the URL in a variable, with one on a server.
#pragma once

#include "support/postgres_server.hpp"

#include <sessile/postgres.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace sessile::testing {

/// Runs the tests of `context` with the URL of a new database, and `parameters` behind it, in
/// `variable`. Where no server can run they are skipped, and it says why.
inline int run_with_postgres_url(doctest::Context& context, const char* variable,
                                 const std::string& parameters = "") {
  if (const std::string reason = why_no_postgres(); !reason.empty()) {
    std::printf("skipped: %s\n", reason.c_str());
    return kSkipped;
  }
  std::signal(SIGPIPE, SIG_IGN);
  register_postgres().value();
  PostgresServer& server = shared_postgres();
  ::setenv(variable, (server.url(server.make_database()) + parameters).c_str(), 1);
  return context.run();
}

}  // namespace sessile::testing
