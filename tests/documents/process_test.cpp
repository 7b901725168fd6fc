// Several real processes at one directory.
#include "process.hpp"
#include "document_scratch.hpp"

#include <sessile/daemon_state.hpp>
#include <sessile/wait.hpp>

#include <doctest/doctest.h>

#include <map>
#include <sstream>

using namespace sessile;
using namespace std::chrono_literals;
using sessile::test::Child;
using Scratch = sessile::test::DocumentScratch;

namespace {

DocumentStore open(const Scratch& scratch) {
  return open_documents(scratch.path(), DocumentStoreOptions().durability(Durability::process)).value();
}

}  // namespace

TEST_CASE("M5 two processes updating different keys of one document a thousand times each lose nothing") {
  const Scratch scratch;
  Child first({"count", scratch.path().string(), "first", "1000"});
  Child second({"count", scratch.path().string(), "second", "1000"});
  CHECK(first.finish() == 0);
  CHECK(second.finish() == 0);
  const auto document = blocking::wait(open(scratch).read_json("shared", "count")).value();
  CHECK(document.value.at("first") == 1000);
  CHECK(document.value.at("second") == 1000);
  CHECK(document.value.as_object().size() == 2);
}

TEST_CASE("D5 of eight processes racing for 1,000 first turns exactly one gets each") {
  constexpr int kFlags = 1000;
  const Scratch scratch;
  json::object pending;
  for (int i = 0; i < kFlags; ++i)
    pending["session-" + std::to_string(i)] = format_time(system_clock()->now());
  blocking::wait(open(scratch).save_json("daemon", "state", {{"first_turn_pending", pending}})).value();

  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 8; ++i) {
    // In pairs: two start at the same flag, and fight for each.
    const std::string start = std::to_string(i / 2 * (kFlags / 4));
    children.push_back(
        std::make_unique<Child>(std::vector<std::string>{"flags", scratch.path().string(), "1000", start}));
  }
  std::map<std::string, int> taken;
  for (const auto& child : children) {
    std::istringstream words(child->line());
    for (std::string id; words >> id;)
      ++taken[id];
    CHECK(child->finish() == 0);
  }
  CHECK(taken.size() == kFlags);
  for (const auto& [id, times] : taken)
    CHECK_MESSAGE(times == 1, id);
  const auto left = blocking::wait(open(scratch).read_json("daemon", "state")).value();
  CHECK(left.value.at("first_turn_pending").as_object().empty());
}

TEST_CASE("M2 a lock held by another process is refused with category, timeout, process and host") {
  const Scratch scratch;
  Child holder({"hold", scratch.path().string(), "sessions/one"});
  REQUIRE(holder.line() == "held");
  const DocumentStore documents = open(scratch);
  auto lock = blocking::wait(documents.lock("sessions/one", DocumentLockOptions().timeout(50ms)));
  REQUIRE_FALSE(lock.has_value());
  const Error error = lock.error();
  CHECK(error.code() == Errc::locked);
  CHECK(error.key() == "sessions/one");
  CHECK(error.detail().find("50 ms") != std::string::npos);
  // The time allowed begins a little before the wait.
  CHECK(error.waited().value() >= 25ms);
  REQUIRE(error.holder().has_value());
  CHECK(error.holder()->pid == holder.pid());
  CHECK_FALSE(error.holder()->host.empty());
  CHECK(parse_time(error.holder()->since).has_value());

  auto save =
      blocking::wait(documents.save_json("sessions/one", "a", 1, DocumentWriteOptions().timeout(50ms)));
  REQUIRE_FALSE(save.has_value());
  const bool in_time = save.error().code() == Errc::locked || save.error().code() == Errc::timed_out;
  CHECK(in_time);
  CHECK_FALSE(blocking::wait(documents.exists("sessions/one", "a")).value());
  // Another category is free, and so is reading.
  CHECK(blocking::wait(documents.save_json("sessions/two", "a", 1)).has_value());
  CHECK(blocking::wait(documents.list("sessions/one")).value().empty());

  CHECK(holder.finish() == 0);
  CHECK(blocking::wait(documents.lock("sessions/one")).has_value());
}

TEST_CASE("M2 the lock of a killed process blocks nobody") {
  const Scratch scratch;
  Child holder({"hold", scratch.path().string(), "session"});
  REQUIRE(holder.line() == "held");
  holder.kill();
  CHECK(blocking::wait(open(scratch).lock("session")).has_value());
}

TEST_CASE("O5 a process killed while it saves leaves a whole document, and its temporary file is swept") {
  const Scratch scratch;
  for (int round = 0; round < 10; ++round) {
    Child writer({"save", scratch.path().string()});
    REQUIRE(writer.line() == "saving");
    ::usleep(static_cast<useconds_t>(round) * 3000);
    writer.kill();
    const auto document = blocking::wait(open(scratch).read_json("shared", "killed")).value();
    CHECK(document.value.at("number") == document.value.at("again"));
  }
  test::write(scratch / "shared/killed.json.tmp.4711.0123456789abcdef", "torn");
  test::write(scratch / "shared/other.tmp.4711.0123456789abcdef", "not ours");
  blocking::wait(open(scratch).save_json("shared", "new", 1)).value();
  const std::vector<std::string> left = {".lock", ".lock.holder", "killed.json", "new.json",
                                         "other.tmp.4711.0123456789abcdef"};
  CHECK(Scratch::names(scratch / "shared") == left);
}
