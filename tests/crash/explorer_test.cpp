// Histories that once went wrong, each with a store as it is now.
#include "crash_states.hpp"
#include "plans.hpp"
#include "simulated_file_system.hpp"
#include "storage/append_log.hpp"
#include "storage/log_replacement.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

using namespace sessile;
using namespace sessile::crash;

namespace {

/// Looks at many states of one history; how many were wrong.
std::uint64_t wrong_states(const std::string& subject, const std::string& start,
                           std::vector<std::string> operations, bool faults = false,
                           std::size_t states = 200) {
  Sampling sampling;
  sampling.states = states;
  sampling.tears = states / 5;
  Explorer explorer(sampling);
  Plan plan;
  plan.subject = subject;
  plan.start = start;
  plan.operations = std::move(operations);
  explore_all(explorer, {plan}, faults, [] { return false; });
  CHECK(explorer.counts().states > 20);
  // The log is due there, but where it is removed before.
  const auto removed = std::find(plan.operations.begin(), plan.operations.end(), "remove_a");
  if (start == "large" && removed == plan.operations.end()) CHECK(explorer.counts().compactions > 0);
  return explorer.counts().failures;
}

/// What a store that is opened after each loss of power says.
void check_after_power_loss(Subject& subject, const Machine& machine,
                            const std::function<void(const Observation&)>& check) {
  power_loss_states(machine.disk(), Sampling(), [&](const CrashState& state) {
    INFO(state.choice);
    Machine rebooted(state.disk);
    subject.open(rebooted);
    const Observation seen = subject.observe();
    subject.close();
    CHECK(seen.problem == "");
    check(seen);
    return true;
  });
}

}  // namespace

TEST_CASE("A memory compacted by one who promises less than power keeps what was durable") {
  CHECK(wrong_states("memory_weak", "kept", {"compact"}) == 0);
}

TEST_CASE("8 a torn record that was being cut off when the power went again leaves a readable log") {
  CHECK(wrong_states("memory", "kept", {"compact", "forget"}) == 0);
  CHECK(wrong_states("memory", "kept", {"compact", "add"}) == 0);
}

TEST_CASE("4 a torn record that is too large to be read whole leaves a log that can be written to") {
  CHECK(wrong_states("json_directory", "kept", {"large_a", "large_a"}) == 0);
}

TEST_CASE("8 an append that makes the log longer and is not synced leaves what was acknowledged") {
  CHECK(wrong_states("json_directory", "kept", {"grow_a", "append_a"}) == 0);
}

TEST_CASE(
    "8 a torn record that was cut off does not come back under the next one when the power goes again") {
  Machine machine{Disk()};
  const auto place = machine.files()->open_directory("/").value();
  storage::CommitGate gate;
  REQUIRE(storage::replace_log(*place, "a.jsonl", 1, R"("first":true)", Durability::power, gate));
  {
    auto log = storage::AppendLog::open_to_read(*place, "a.jsonl").value();
    const std::uint64_t end = log.tail(1U << 20).value().end;
    const std::string record = storage::frame_record(2, R"("text":")" + std::string(9000, 'p') + '"');
    const auto file = place->open_file("a.jsonl", storage::OpenMode::read_write).value();
    REQUIRE(file->write_at(end, std::string_view(record).substr(0, 6000)) == 6000U);
    REQUIRE(file->sync_data().has_value());
  }
  auto log = storage::AppendLog::open_to_write(*place, "a.jsonl").value();
  auto tail = log.tail(1U << 20).value();
  REQUIRE(tail.torn);
  // Promises less, so that all of it is pending when the power goes.
  REQUIRE(log.append(tail, R"("second":true)", Durability::process, gate));
  Sampling sampling;
  sampling.states = 400;
  sampling.tears = 200;
  std::size_t states = 0;
  power_loss_states(machine.disk(), sampling, [&](const CrashState& state) {
    INFO(state.choice);
    Machine rebooted(state.disk);
    const auto root = rebooted.files()->open_directory("/").value();
    auto again = storage::AppendLog::open_to_read(*root, "a.jsonl").value();
    CHECK(again.tail(1U << 20).has_value());
    ++states;
    return true;
  });
  CHECK(states > 20);
}

TEST_CASE(
    "5 an append repeated under its key survives the power as it promises, though the first promised less") {
  for (const std::string subject : {"filesystem", "json_directory"}) {
    CAPTURE(subject);
    CHECK(wrong_states(subject, "kept", {"key_a_weak", "key_a"}) == 0);
    CHECK(wrong_states(subject, "fresh", {"save_a_weak", "key_a_weak", "key_a"}) == 0);
  }
}

TEST_CASE("6 what is written after a call that failed does not stand behind what a failed sync lost") {
  CHECK(wrong_states("json_directory", "kept", {"append_a", "append_a"}, true) == 0);
}

TEST_CASE("11 a large log that is compacted beside its writers is whole and holds what was acknowledged") {
  using Operations = std::vector<std::string>;
  for (const std::string begun : {"append_a", "append_a_weak"}) {
    for (const std::string between : {"append_a", "append_a_weak", "save_a", "remove_a", "flush"}) {
      CAPTURE(begun);
      CAPTURE(between);
      const Operations operations{"append_a", begun, "half_aside", between, "aside", "append_a"};
      CHECK(wrong_states("json_directory", "large", operations, false, 40) == 0);
    }
  }
}

TEST_CASE("11 a call of a compaction beside the writers that fails loses nothing") {
  CHECK(wrong_states("json_directory", "large", {"append_a", "append_a", "aside", "append_a"}, true, 20) ==
        0);
  CHECK(wrong_states("json_directory", "large", {"append_a", "append_a_weak", "aside", "flush"}, true, 20) ==
        0);
}

TEST_CASE("An id is not given again when what had it was forgotten and the memory compacted") {
  CHECK(wrong_states("memory", "kept", {"add", "forget", "compact"}) == 0);
}

TEST_CASE(
    "4 a store whose maker was killed before it synced survives the power once another has written to it") {
  for (const auto& subject : make_subjects()) {
    if (subject->name() != "filesystem" && subject->name() != "json_directory") continue;
    CAPTURE(subject->name());
    Machine machine{Disk()};
    {
      auto root = machine.files()->open_directory("/").value();
      REQUIRE(root->make_directory("place").has_value());
      REQUIRE(root->sync().has_value());
      REQUIRE(root->open_directory("place").value()->make_directory("store").has_value());
    }
    subject->forget();
    subject->open(machine);
    CHECK(subject->run("save_a").outcome == Outcome::done);
    subject->close();
    check_after_power_loss(*subject, machine, [&](const Observation& seen) {
      CHECK(seen.objects.at("a") == subject->expected().at("a"));
      CHECK(seen.unlisted.empty());
    });
  }
}

TEST_CASE("3 a session whose removal promised less than power is listed when the power brings it back") {
  const auto subject = make_json_directory_subject();
  Machine machine{Disk()};
  subject->forget();
  subject->open(machine);
  CHECK(subject->run("save_a").outcome == Outcome::done);
  CHECK(subject->run("remove_a_weak").outcome == Outcome::done);
  subject->close();
  std::size_t returned = 0;
  check_after_power_loss(*subject, machine, [&returned](const Observation& seen) {
    returned += seen.objects.at("a") == kAbsent ? 0U : 1U;
    CHECK(seen.unlisted.empty());
  });
  CHECK(returned > 0);
}

TEST_CASE("A state's name leads back to it") {
  const std::string text = "memory/kept/add,forget/-1/5/power/17";
  const auto id = StateId::parse(text);
  REQUIRE(id);
  CHECK(id->text() == text);
  CHECK_FALSE(StateId::parse("memory/kept").has_value());
}
