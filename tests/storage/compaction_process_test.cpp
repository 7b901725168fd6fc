// Programs that end, or are killed, while a log is compacted beside its writers.
#include "compaction_fixture.hpp"
#include "own_child.hpp"

#include <sessile/verify.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace sessile::json_directory {
namespace {

using testing::CompactionFixture;
using testing::is_beside;

constexpr int kKilled = 9;

/// Runs the child below; its exit status.
int run_child(const CompactionFixture& f, const std::string& how) {
  ::setenv("SESSILE_TEST_ROOT", f.root().c_str(), 1);
  ::setenv("SESSILE_TEST_HOW", how.c_str(), 1);
  return testing::run_own_child("child: ends while*");
}

}  // namespace

// The child of the tests below: run only by them, in a process of its own.
TEST_CASE("child: ends while a log is compacted" * doctest::skip()) {
  const char* root = std::getenv("SESSILE_TEST_ROOT");
  REQUIRE(root);
  const std::string how = std::getenv("SESSILE_TEST_HOW");
  auto faults = std::make_shared<testing::Faults>();
  CompactionFixture settings;
  auto store =
      detail::make_json_directory_store_on(std::make_shared<storage::testing::FaultyFileSystem>(faults), root,
                                           LockOptions(), OpenOptions(), settings.compaction)
          .value();
  REQUIRE(blocking::load(*store, "s"));
  auto began = std::make_shared<std::promise<void>>();
  faults->before = [how, began](const std::string& call, const std::string& name) {
    if (call == "sync" && is_beside(name)) {
      if (how == "killed") ::_exit(kKilled);
      began->set_value();
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
    return boost::system::error_code();
  };
  REQUIRE(settings.note(Durability::power, store.get()));
  // Never closed.
  began->get_future().wait();
}

TEST_CASE("A file that a killed compaction leaves is swept, and the log is as it was") {
  CompactionFixture f;
  f.make_nearly_due();
  const auto before = f.load("s").value();
  CHECK(run_child(f, "killed") == kKilled);
  REQUIRE(f.files_beside() == 1);
  f.reopen();
  const auto loaded = f.load("s").value();
  CHECK(loaded->revision == before->revision + 1);
  CHECK(f.list().items.size() == 1);
  const auto report = blocking::verify(*f.store, VerifyOptions().repair(true));
  REQUIRE(report);
  REQUIRE(report->findings.size() == 1);
  CHECK(report->findings.front().kind == FindingKind::leftover);
  CHECK(report->findings.front().repaired);
  CHECK(f.files_beside() == 0);
  REQUIRE(f.append("s", "more"));
  CHECK(f.load("s").value()->messages.size() == loaded->messages.size() + 1);
  f.close();
}

TEST_CASE("A program that ends while a log is compacted neither hangs nor fails, and leaves it whole") {
  CompactionFixture f;
  f.make_nearly_due();
  const auto before = f.load("s").value();
  CHECK(run_child(f, "ends") == 0);
  f.reopen();
  CHECK(f.load("s").value()->revision == before->revision + 1);
  CHECK(f.files_beside() == 0);
}

}  // namespace sessile::json_directory
