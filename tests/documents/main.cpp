// The test program; started as `documents child ROLE ARGUMENT…` it is one of the processes of a test.
#define DOCTEST_CONFIG_IMPLEMENT
#include "process.hpp"

#include <doctest/doctest.h>

#include <cstring>

int main(int count, char** words) {
  if (count >= 3 && std::strcmp(words[1], "child") == 0) {
    return sessile::test::run_child(std::vector<std::string>(words + 2, words + count));
  }
  return doctest::Context(count, words).run();
}
