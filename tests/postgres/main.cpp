// The test program; started as `PROGRAM child append URL ID COUNT TAG` it is another client.
#define DOCTEST_CONFIG_IMPLEMENT
#include "support/postgres_server.hpp"

#include <sessile/blocking.hpp>
#include <sessile/postgres.hpp>
#include <sessile/sessile.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstring>

namespace {

/// Appends COUNT messages "TAG number" one by one.
int append(char** words) {
  using namespace sessile;
  const std::shared_ptr<SessionStore> store = open_store(words[0]).value();
  for (int i = 0; i < std::atoi(words[2]); ++i) {
    Message message("user", json::value(std::string(words[3]) + " " + std::to_string(i)));
    blocking::append(*store, SessionId(words[1]), {std::move(message)}).value();
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  std::signal(SIGPIPE, SIG_IGN);  // a server that goes away shows as EPIPE
  sessile::register_postgres().value();
  if (count == 7 && std::strcmp(words[1], "child") == 0) return append(words + 3);
  if (const std::string reason = sessile::testing::why_no_postgres(); !reason.empty()) {
    std::printf("skipped: %s\n", reason.c_str());
    return sessile::testing::kSkipped;
  }
  return doctest::Context(count, words).run();
}
