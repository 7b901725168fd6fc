// The main of test programs that need a PostgreSQL server: where none can run they are skipped, and say why.
#define DOCTEST_CONFIG_IMPLEMENT
#include "support/postgres_server.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>

int main(int count, char** words) {
  if (const std::string reason = sessile::testing::why_no_postgres(); !reason.empty()) {
    std::printf("skipped: %s\n", reason.c_str());
    return sessile::testing::kSkipped;
  }
  std::signal(SIGPIPE, SIG_IGN);  // a server that goes away shows as EPIPE
  return doctest::Context(count, words).run();
}
