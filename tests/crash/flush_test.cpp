// A flush of the filesystem store on a disk whose calls fail: it says "synced" of nothing that a loss of
// power takes away. Below the store: its files hold no sessions, and verify has nothing to say of them.
#include "backends/filesystem/unsynced.hpp"
#include "crash_states.hpp"
#include "failing_calls.hpp"
#include "storage/replace_file.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <set>

using namespace sessile;
using namespace sessile::crash;

namespace {

const std::string kNames[] = {"a.json", "b.json"};
const std::string kText(5000, 'x');

/// True when no loss of power takes anything of the files away.
bool is_durable(const Machine& machine) {
  bool durable = true;
  power_loss_states(machine.disk(), Sampling(), [&durable](const CrashState& state) {
    Machine rebooted(state.disk);
    const auto root = rebooted.files()->open_directory("/").value();
    for (const std::string& name : kNames) {
      const auto text = storage::read_file(*root, name, 1U << 20);
      durable = text && *text == kText && durable;
    }
    return durable;
  });
  return durable;
}

class Flush {
 public:
  /// `others`: names that were written and are gone, more of which than are remembered make it look for
  /// itself.
  explicit Flush(std::size_t others) : directory_(machine.files()->open_directory("/").value()) {
    for (std::size_t i = 0; i < others; ++i)
      unsynced_.wrote(*directory_, "gone-" + std::to_string(i) + ".json", false, Durability::process);
    for (const std::string& name : kNames) {
      storage::CommitGate gate;
      storage::replace_file(*directory_, name, kText, Durability::process, gate).value();
      unsynced_.wrote(*directory_, name, false, Durability::process);
    }
  }
  Result<void> run() { return unsynced_.sync(*directory_); }
  void rewrite() {
    for (const std::string& name : kNames) {
      storage::CommitGate gate;
      storage::replace_file(*directory_, name, kText, Durability::power, gate).value();
      unsynced_.wrote(*directory_, name, true, Durability::power);
    }
  }

  Machine machine{Disk()};

 private:
  std::shared_ptr<storage::Directory> directory_;
  filesystem::Unsynced unsynced_;
};

std::vector<std::string> calls_of_a_flush(std::size_t others) {
  Flush flush(others);
  REQUIRE_FALSE(is_durable(flush.machine));
  std::vector<std::string> kinds;
  note_calls(flush.machine, kinds);
  REQUIRE(flush.run());
  flush.machine.before = nullptr;
  REQUIRE(is_durable(flush.machine));
  return kinds;
}

/// Makes one call of a flush fail, and flushes once more when nothing fails.
void fail_one(std::size_t others, std::size_t call, const std::string& kind, int number, bool persistent) {
  INFO("call " << call << " (" << kind << "), errno " << number << (persistent ? ", persistent" : ", once"));
  Flush flush(others);
  fail_call(flush.machine, call, number, persistent);
  static const std::set<Errc> typed{Errc::indeterminate, Errc::io, Errc::unavailable};
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto flushed = flush.run();
    if (flushed) CHECK(is_durable(flush.machine));
    if (!flushed) CHECK(typed.contains(flushed.error().code()));
    flush.machine.before = nullptr;
  }
  flush.rewrite();
  CHECK(is_durable(flush.machine));
  CHECK(flush.machine.open_files() == 0);
}

}  // namespace

TEST_CASE("6 a flush in which a call fails says synced of nothing that a loss of power takes away") {
  std::size_t runs = 0;
  for (const std::size_t others : {std::size_t{0}, std::size_t{10'001}}) {
    const auto kinds = calls_of_a_flush(others);
    for (std::size_t call = 0; call < kinds.size(); ++call) {
      // Of the files that are gone the first and the last are enough.
      if (kinds.size() > 1000 && call > 20 && call + 20 < kinds.size()) continue;
      for (const int number : {EIO, ENOSPC, EACCES}) {
        for (const bool persistent : {false, true}) {
          fail_one(others, call, kinds[call], number, persistent);
          ++runs;
        }
      }
    }
  }
  MESSAGE(runs << " failures in flushes");
  CHECK(runs > 50);
}
