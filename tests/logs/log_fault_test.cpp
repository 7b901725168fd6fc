// What the logs do when the disk does not (H2, H6 to H8).
#include "storage/faulty_file_system.hpp"
#include "support/run.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include "logs/log_access.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace sessile;
using sessile::detail::LogAccess;
using sessile::storage::testing::Faults;
using sessile::storage::testing::FaultyFileSystem;
using sessile::storage::testing::os_error;
using sessile::testing::run;
namespace errc = boost::system::errc;

namespace {

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

class Fixture {
 public:
  SessionLog log() { return LogAccess::session_log(files, file, json::object(), LogOptions()); }
  Result<MemoryLog> memory() {
    is_memory = true;
    return run(LogAccess::open_memory(files, file, LogOptions()));
  }

  /// The `index`-th call from now on, of those that change something, fails with `error`.
  void fail_call(int index, errc::errc_t error) {
    faults->before = [index, error](const std::string&, const std::string& name) mutable {
      const bool counted = !name.ends_with(".holder") && name.find(".holder.") == std::string::npos;
      return counted && index-- == 0 ? os_error(error) : boost::system::error_code();
    };
  }
  void fail(const std::string& call, errc::errc_t error) {
    faults->before = [call, error](const std::string& made, const std::string& name) {
      if (name.find(".holder") != std::string::npos) return boost::system::error_code();
      return made == call ? os_error(error) : boost::system::error_code();
    };
  }
  void heal() { faults->before = nullptr; }

  sessile::testing::TemporaryDirectory place;
  std::filesystem::path file = place.path() / "log.jsonl";
  std::shared_ptr<Faults> faults = std::make_shared<Faults>();
  std::shared_ptr<FaultyFileSystem> files = std::make_shared<FaultyFileSystem>(faults);
  bool is_memory = false;
  sessile::testing::SoundAtEnd sound{
      [this] { return run(is_memory ? MemoryLog::verify(file) : SessionLog(file).verify()); }};
};

}  // namespace

TEST_CASE("H2 a full disk in the middle of a line leaves the log as it was") {
  Fixture fixture;
  SessionLog log = fixture.log();
  run(log.append(Message("user", "one"))).value();
  const std::string before = bytes_of(fixture.file);
  fixture.faults->longest_write = 10;
  int writes = 0;
  fixture.faults->before = [&writes](const std::string& call, const std::string&) {
    return call == "write" && ++writes > 2 ? os_error(errc::no_space_on_device) : boost::system::error_code();
  };
  const Error error = run(log.append(Message("user", "two"))).error();
  CHECK(error.code() == Errc::unavailable);
  CHECK(error.retryable());
  CHECK(bytes_of(fixture.file) == before);
  fixture.heal();
  run(log.append(Message("user", "three"))).value();
  const LoadedLog loaded = run(log.load()).value();
  CHECK(loaded.turns.size() == 2);
  CHECK(loaded.skipped.empty());
}

TEST_CASE("H2 whichever call fails, an append is whole or not there, and the next one lands") {
  for (int index = 0; index < 12; ++index) {
    for (const auto cause : {errc::no_space_on_device, errc::io_error}) {
      CAPTURE(index);
      Fixture fixture;
      SessionLog log = fixture.log();
      fixture.faults->longest_write = 40;
      if (index % 2 == 1) run(log.append(Message("user", "before"))).value();
      const std::size_t before = index % 2 == 1 ? 1 : 0;
      fixture.fail_call(index / 2, cause);
      auto appended = run(log.append(Message("user", "during")));
      fixture.heal();
      run(log.append(Message("user", "after"))).value();
      const LoadedLog loaded = run(log.load()).value();
      CHECK(loaded.skipped.empty());
      REQUIRE(loaded.turns.size() >= before + 1);
      CHECK(loaded.turns.back().content == json::value("after"));
      const bool there = loaded.turns.size() == before + 2;
      if (appended) {
        CHECK(there);
      } else if (appended.error().code() != Errc::indeterminate) {
        CHECK_FALSE(there);
      }
    }
  }
}

TEST_CASE("H2 a failed sync is not tried again: the log is written to a new file") {
  Fixture fixture;
  SessionLog log = fixture.log();
  run(log.append(Message("user", "one"))).value();
  int renames = 0;
  fixture.faults->before = [&renames](const std::string& call, const std::string& name) {
    if (call == "rename") ++renames;
    return call == "sync" && name == "log.jsonl" ? os_error(errc::io_error) : boost::system::error_code();
  };
  run(log.append(Message("user", "two"))).value();
  CHECK(renames == 1);
  fixture.fail("sync", errc::io_error);
  CHECK(run(log.append(Message("user", "three"))).error().code() == Errc::indeterminate);
  fixture.heal();
  const LoadedLog loaded = run(log.load()).value();
  CHECK(loaded.turns.size() >= 2);
  CHECK(loaded.skipped.empty());
}

TEST_CASE("H6 a full disk in the middle of an item leaves the memory as it was, and its id free") {
  Fixture fixture;
  MemoryLog memory = fixture.memory().value();
  run(memory.add(MemoryKind::fact, "one")).value();
  const std::string before = bytes_of(fixture.file);
  fixture.fail("write", errc::no_space_on_device);
  const Error error = run(memory.add(MemoryKind::fact, "two")).error();
  CHECK(error.code() == Errc::unavailable);
  CHECK(run(memory.forget(1)).error().code() == Errc::unavailable);
  CHECK(run(memory.compact()).error().code() == Errc::unavailable);
  CHECK(run(memory.list()).value().size() == 1);
  fixture.heal();
  CHECK(bytes_of(fixture.file).starts_with(before.substr(0, before.find_last_not_of('\n') + 1)));
  CHECK(run(memory.add(MemoryKind::fact, "three")).value().id == 2);
  run(memory.close()).value();
  MemoryLog again = fixture.memory().value();
  const auto items = run(again.list()).value();
  REQUIRE(items.size() == 2);
  CHECK(items[0].note.content == "three");
}

TEST_CASE(
    "H8 whichever call fails, a change is whole or not there, ids never repeat and the memory goes on") {
  for (int index = 0; index < 14; ++index) {
    for (int operation = 0; operation < 3; ++operation) {
      for (const bool reopen : {false, true}) {
        CAPTURE(index);
        CAPTURE(operation);
        CAPTURE(reopen);
        Fixture fixture;
        Result<MemoryLog> memory = fixture.memory();
        REQUIRE(memory.has_value());
        if (operation != 0) {
          run(memory->add(MemoryKind::fact, "one")).value();
          run(memory->add(MemoryKind::fact, "two")).value();
          run(memory->forget(2)).value();
        }
        fixture.fail_call(index, errc::io_error);
        bool failed = false, uncertain = false;
        const auto note = [&](const Error& error) {
          failed = true;
          uncertain = error.code() == Errc::indeterminate;
        };
        if (operation == 0) {
          if (auto added = run(memory->add(MemoryKind::fact, "new")); !added) note(added.error());
        } else if (operation == 1) {
          if (auto forgotten = run(memory->forget(1)); !forgotten) note(forgotten.error());
        } else {
          if (auto compacted = run(memory->compact()); !compacted) note(compacted.error());
        }
        fixture.heal();
        if (reopen) {
          run(memory->close()).value();
          memory = fixture.memory();
          REQUIRE(memory.has_value());
        }
        const std::size_t count = run(memory->list()).value().size();
        if (operation == 2) CHECK(count == 1);
        if (operation == 0 && !uncertain) CHECK(count == (failed ? 0 : 1));
        if (operation == 1 && !uncertain) CHECK(count == (failed ? 1 : 0));
        const MemoryId id = run(memory->add(MemoryKind::fact, "last")).value().id;
        if (operation != 0) CHECK(id == 3);
        for (const MemoryItem& item : run(memory->list()).value())
          CHECK((item.id < id || item.note.content == "last"));
        run(memory->close()).value();
        MemoryLog again = fixture.memory().value();
        CHECK(run(again.list()).value().front().id == id);
      }
    }
  }
}

TEST_CASE(
    "H8 after a failed sync the memory is read again and written to a new file before the next change") {
  Fixture fixture;
  MemoryLog memory = fixture.memory().value();
  run(memory.add(MemoryKind::fact, "one")).value();
  fixture.fail("sync", errc::io_error);
  CHECK(run(memory.add(MemoryKind::fact, "two")).error().code() == Errc::indeterminate);
  fixture.heal();
  int renames = 0;
  fixture.faults->before = [&renames](const std::string& call, const std::string& name) {
    if (call == "rename" && name == "log.jsonl") ++renames;
    return boost::system::error_code();
  };
  CHECK(run(memory.add(MemoryKind::fact, "three")).value().id == 3);
  CHECK(renames == 1);
  CHECK(run(memory.add(MemoryKind::fact, "four")).value().id == 4);
  CHECK(renames == 1);
}

TEST_CASE(
    "H2 a turn that is gone after a failed sync is not acknowledged, and nothing is put in the log's place") {
  Fixture fixture;
  SessionLog log = fixture.log();
  run(log.append(Message("user", "one"))).value();
  const std::string before = bytes_of(fixture.file);
  // As a file system does that goes back to what it has on the device.
  fixture.faults->before = [&](const std::string& call, const std::string&) {
    if (call != "sync" || bytes_of(fixture.file) == before) return boost::system::error_code();
    std::filesystem::resize_file(fixture.file, before.size());
    return os_error(errc::io_error);
  };
  CHECK(run(log.append(Message("user", "two"))).error().code() == Errc::indeterminate);
  fixture.heal();
  CHECK(bytes_of(fixture.file) == before);
  run(log.append(Message("user", "three"))).value();
  CHECK(run(log.load()).value().turns.size() == 2);
}
