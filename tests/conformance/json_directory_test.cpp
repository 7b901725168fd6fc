// The suite against the json_directory backend, in each of its durabilities. A program of its own, since it
// is the second process as well.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "conformance/harnesses.hpp"
#include "support/sound.hpp"

namespace sessile::conformance {
namespace {

void check_with(const std::string& parameters) {
  const FreshDirectory directory;
  const std::filesystem::path place = directory.path() / "store";
  check_conformance(url_harness("jsondir:" + place.string() + parameters, place),
                    {"no durability is stronger"});
  // What the suite damaged it has also discarded. A move that promises less than power leaves an index entry.
  testing::check_sound("jsondir:" + place.string() + parameters, {FindingKind::stale_entry});
}

}  // namespace

TEST_CASE("The json_directory backend passes the conformance suite with its default durability") {
  check_with("");
}

TEST_CASE("The json_directory backend passes the conformance suite with durability=process") {
  check_with("?durability=process");
}

TEST_CASE("The json_directory backend passes the conformance suite with the portable lock") {
  check_with("?durability=process&lock=interprocess");
}

}  // namespace sessile::conformance

int main(int argc, char** argv) {
  int exit_code = 0;
  if (sessile::conformance::run_as_second_process(argc, argv, exit_code)) return exit_code;
  return doctest::Context(argc, argv).run();
}
