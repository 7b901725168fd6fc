// Links, FIFOs, devices, directories and hard links where session logs and memories, and what is beside them,
// belong.
#include "hostile/planted.hpp"

namespace sessile::testing {

namespace {

using blocking::wait;
using namespace std::chrono_literals;

/// A session log of one turn, and a memory of one item.
class Logs {
 public:
  Logs() : treasure_(directory_.path(), "{\"meta\":{}}\n{\"role\":\"user\",\"content\":\"treasure\"}\n") {
    wait(log().append(Message("user", "kept"))).value();
    remember("kept").value();
  }
  const Treasure& treasure() const noexcept { return treasure_; }
  std::filesystem::path directory() const { return directory_.path() / "logs"; }
  std::filesystem::path log_file() const { return directory() / "log.jsonl"; }
  std::filesystem::path memory_file() const { return directory() / "memory.jsonl"; }
  SessionLog log(std::chrono::milliseconds lock_timeout = 200ms) const {
    return SessionLog(log_file(), {}, LogOptions().lock(LockOptions().timeout(lock_timeout)));
  }
  Result<MemoryLog> open_memory() const { return wait(MemoryLog::open(memory_file())); }
  Result<MemoryItem> remember(const std::string& text) const {
    auto memory = open_memory();
    if (!memory) return memory.error();
    return wait(memory->add(MemoryKind::fact, text));
  }
  std::size_t turns() const { return wait(log().load()).value().turns.size(); }
  std::size_t items() const {
    auto memory = open_memory().value();
    return wait(memory.list()).value().size();
  }
  VerifyReport repair_log() const { return wait(log().verify(VerifyOptions().repair())).value(); }
  VerifyReport repair_memory() const {
    return wait(MemoryLog::verify(memory_file(), VerifyOptions().repair())).value();
  }
  void check_afterwards() const {
    check_sound(repair_log());
    check_sound(repair_memory());
    for (const auto& entry : std::filesystem::directory_iterator(directory()))
      CHECK(entry.path().string().find(".tmp.") == std::string::npos);
  }

 private:
  const TemporaryDirectory directory_;
  const Treasure treasure_;
};

template <class Check>
void for_each_planted(const std::string& file, const Check& check) {
  for_each_planted_in<Logs>(file, check);
}

}  // namespace

TEST_CASE("what is planted at a session log or a memory is neither followed, read nor replaced") {
  for_each_planted("log.jsonl", [](Logs& logs, Plot& plot) {
    // Every program may append to a session log, by every name of it: it is written in place.
    if (plot.is_file()) return;
    check_refused(wait(logs.log().append(Message("user", "x"))));
    check_refused(wait(logs.log().start()));
    check_refused(wait(logs.log().load()));
    CHECK(wait(list_session_logs(logs.directory())).value().size() == 1);
    CHECK(Place::count(logs.repair_log(), FindingKind::wrong_type) == 1);
    plot.check_stays();
  });
  for_each_planted("memory.jsonl", [](Logs& logs, Plot& plot) {
    check_refused(logs.open_memory());
    const auto report = logs.repair_memory();
    if (plot.is_file()) return;
    CHECK(report.findings.size() == 1);
    CHECK_FALSE(report.findings.front().repaired);
    plot.check_stays();
  });
}

TEST_CASE("what is planted at the lock of a session log or a memory keeps writers out, at once") {
  for_each_planted("log.jsonl.lock", [](Logs& logs, Plot& plot) {
    const auto appended = wait(logs.log().append(Message("user", "x")));
    if (plot.is_file()) CHECK(appended);
    if (!plot.is_file()) check_refused(appended);
    CHECK(logs.turns() == (plot.is_file() ? 2 : 1));
    plot.check_stays();
  });
  for_each_planted("memory.jsonl.lock", [](Logs& logs, Plot& plot) {
    const auto remembered = logs.remember("more");
    if (plot.is_file()) CHECK(remembered);
    if (!plot.is_file()) check_refused(remembered);
    plot.check_stays();
  });
}

TEST_CASE("what is planted at the line before a session log's lock keeps nobody waiting who may have it") {
  for_each_planted("log.jsonl.lock.queue", [](Logs& logs, Plot& plot) {
    CHECK(wait(logs.log().append(Message("user", "of a lock that is free"))));
    const auto place = storage::real_file_system()->open_directory(logs.directory()).value();
    auto lock = place->try_lock("log.jsonl.lock", LockPrimitive::automatic).value();
    CHECK(wait(logs.log().append(Message("user", "x"))).error().code() == Errc::locked);
    std::thread holder([&lock] {
      std::this_thread::sleep_for(50ms);
      lock.reset();
    });
    const auto waited = wait(logs.log(30s).append(Message("user", "of one that is not")));
    holder.join();
    CHECK(waited);
    CHECK(logs.turns() == 3);
    plot.check_stays();
  });
}

TEST_CASE("what is planted at the mark of a session log or a memory costs nothing that is in it") {
  for_each_planted("log.jsonl.poisoned", [](Logs& logs, Plot&) {
    CHECK(logs.turns() == 1);
    // Whatever stands there, the log is written anew, time and again where it cannot be taken away.
    for (const char* text : {"first", "second"})
      CHECK(wait(logs.log().append(Message("user", text))));
    CHECK(logs.turns() == 3);
  });
  for_each_planted("memory.jsonl.poisoned", [](Logs& logs, Plot&) {
    CHECK(logs.items() == 1);
    for (const char* text : {"first", "second"})
      CHECK(logs.remember(text));
    CHECK(logs.items() == 3);
    logs.repair_memory();
    CHECK(logs.items() == 3);
  });
}

TEST_CASE("what is planted at the note of a memory's holder is not read for long, nor written to") {
  for_each_planted("memory.jsonl.holder", [](Logs& logs, Plot& plot) {
    CHECK(logs.remember("first"));
    plot.treasure.check_untouched();
    {
      auto memory = logs.open_memory().value();
      // Where somebody looks for the holder.
      plot.plant_again();
      const auto second = logs.open_memory();
      REQUIRE_FALSE(second);
      CHECK(second.error().code() == Errc::locked);
      CHECK(wait(memory.add(MemoryKind::fact, "second")));
      CHECK(wait(memory.compact()));
    }
    CHECK(logs.items() == 3);
    plot.plant_again();
    CHECK(logs.repair_memory().sound());
  });
}

TEST_CASE("what is planted in the place of the quarantine beside logs is not filled, and the damaged stay") {
  for_each_planted("quarantine", [](Logs& logs, Plot& plot) {
    const std::string garbage = "{\"this is\": garbage\n";
    const auto check = [&](const std::filesystem::path& file, const VerifyReport& report) {
      REQUIRE(report.findings.size() == 1);
      const Finding& finding = report.findings.front();
      CHECK(finding.kind == FindingKind::corrupt);
      if (plot.what == Planted::directory) {
        // Which is what belongs there.
        CHECK(Place::read(finding.quarantine) == garbage);
        return;
      }
      CHECK_FALSE(finding.repaired);
      REQUIRE(finding.failure);
      CHECK(finding.failure->code() == Errc::io);
      CHECK(Place::read(file) == garbage);
    };
    Place::write(logs.log_file(), garbage);
    Place::write(logs.memory_file(), garbage);
    check(logs.log_file(), logs.repair_log());
    check(logs.memory_file(), logs.repair_memory());
    plot.check_stays();
    if (plot.what != Planted::directory) std::filesystem::remove(plot.at);
    CHECK(logs.repair_log().sound());
    CHECK(logs.repair_memory().sound());
  });
}

TEST_CASE("a write to a memory whose file has a second name leaves what that name shows as it was") {
  const Logs logs;
  // As a backup by hard links makes it.
  const auto backup = logs.directory() / "backup";
  std::filesystem::create_hard_link(logs.memory_file(), backup);
  const std::string before = Place::read(backup);
  CHECK(logs.remember("more"));
  CHECK(Place::read(backup) == before);
  CHECK(logs.items() == 2);
}

TEST_CASE("a memory that is given a second name while it is open leaves what that name shows as it was") {
  const Logs logs;
  auto memory = logs.open_memory().value();
  CHECK(wait(memory.add(MemoryKind::fact, "more")));
  const auto backup = logs.directory() / "backup";
  std::filesystem::create_hard_link(logs.memory_file(), backup);
  const std::string before = Place::read(backup);
  CHECK(wait(memory.add(MemoryKind::fact, "and more")));
  CHECK(wait(memory.forget(1)));
  CHECK(Place::read(backup) == before);
  CHECK(wait(memory.list()).value().size() == 2);
}

}  // namespace sessile::testing
