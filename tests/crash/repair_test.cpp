// Repairs that are cut off: by a loss of power, a kill, or a call that fails. Whatever happens, every byte
// that was there is in its file still or in quarantine, and the next repair succeeds.
#include "crash_states.hpp"
#include "failing_calls.hpp"
#include "small_stores.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <utility>

using namespace sessile;
using namespace sessile::crash;

namespace {

using storage::OpenMode;

enum class Damage { in_the_middle, torn };

/// A store with one damaged file, durable as it is.
class Patient {
 public:
  Patient(SmallStore& what, Damage damage) : what_(what) {
    Machine machine(filled(what));
    const std::string file = what.file();
    const std::size_t slash = file.rfind('/');
    const auto directory = machine.files()->open_directory(file.substr(0, slash)).value();
    const auto opened = directory->open_file(file.substr(slash + 1), OpenMode::read_write).value();
    std::string bytes = *files_of(machine.disk()).at(file);
    const std::size_t end = bytes.find_last_not_of('\n') + 1;
    if (damage == Damage::torn) {
      bytes.resize(end - 7);
      opened->truncate(bytes.size()).value();
    } else {
      bytes[end / 3] = '\x01';
      opened->write_at(end / 3, std::span(bytes.data() + end / 3, 1)).value();
    }
    bytes_ = bytes;
    disk_ = machine.disk().image_of_current();
    REQUIRE(*files_of(disk_).at(file) == bytes_);
    Machine again(disk_);
    if (const auto before = what.content(again, "a")) readable_ = *before;
    neighbour_ = what.content(again, "b").value();
  }

  const Disk& disk() const noexcept { return disk_; }

  /// Every byte that was there is; but of a log whose end is in quarantine the rest may have been written
  /// anew.
  bool keeps(const Disk& disk) const {
    const auto files = files_of(disk);
    const auto found = files.find(what_.file());
    const std::string now = found == files.end() ? std::string() : *found->second;
    if (now == bytes_) return true;
    return std::any_of(files.begin(), files.end(), [&](const auto& file) {
      const std::string& content = *file.second;
      if (file.first.find("quarantine/") == std::string::npos || !bytes_.ends_with(content)) return false;
      if (content.empty()) return false;
      return now.starts_with(std::string_view(bytes_).substr(0, bytes_.size() - content.size())) ||
             reads_as_before(disk);
    });
  }

  /// The repair can be done again, to its end, and leaves the neighbour as it was.
  void check_goes_on(const Disk& disk) const {
    CHECK(keeps(disk));
    Machine machine(disk);
    const auto repaired = what_.verify(machine, true);
    REQUIRE(repaired.has_value());
    for (const Finding& finding : repaired->findings)
      CHECK_MESSAGE(finding.repaired, finding.path << ": " << finding.detail);
    CHECK(keeps(machine.disk()));
    check_sound(machine);
  }
  void check_sound(Machine& machine) const {
    const auto again = what_.verify(machine, false);
    REQUIRE(again.has_value());
    for (const Finding& finding : again->findings)
      FAIL_CHECK(finding.path << ": " << name(finding.kind) << ": " << finding.detail);
    CHECK(what_.content(machine, "b").value() == neighbour_);
    check_nothing_open(machine);
  }

 private:
  bool reads_as_before(const Disk& disk) const {
    Machine machine(disk);
    const auto now = what_.content(machine, "a");
    return now && !readable_.empty() && *now == readable_;
  }

  SmallStore& what_;
  std::string bytes_;
  std::string readable_;
  std::string neighbour_;
  Disk disk_;
};

void for_each_patient(const std::function<void(SmallStore&, const Patient&)>& test) {
  for (const auto& what : make_small_stores()) {
    for (const Damage damage : {Damage::in_the_middle, Damage::torn}) {
      INFO(what->name() << (damage == Damage::torn ? ", torn" : ", damaged in the middle"));
      test(*what, Patient(*what, damage));
    }
  }
}

/// Makes one call of a repair fail, or all of its kind from there on.
void fail_repair(SmallStore& what, const Patient& patient, std::size_t call, int number, bool persistent) {
  Machine machine(patient.disk());
  const auto kind = fail_call(machine, call, number, persistent);
  const auto report = what.verify(machine, true);
  machine.before = nullptr;
  INFO("call " << call << " (" << *kind << "), errno " << number << (persistent ? ", persistent" : ""));
  if (report) {
    const auto& found = report->findings;
    const bool all = std::all_of(found.begin(), found.end(), [](const Finding& f) { return f.repaired; });
    if (all && !found.empty()) patient.check_sound(machine);
    for (const Finding& finding : found)
      CHECK((finding.repaired || finding.failure || finding.kind == FindingKind::unreadable));
  }
  patient.check_goes_on(machine.disk());
  check_nothing_open(machine);
}

}  // namespace

TEST_CASE("27 a call of a repair that fails costs no byte of what is damaged, and the next repair succeeds") {
  std::size_t runs = 0;
  for_each_patient([&runs](SmallStore& what, const Patient& patient) {
    Machine machine(patient.disk());
    std::vector<std::string> kinds;
    note_calls(machine, kinds);
    REQUIRE(what.verify(machine, true).value().sound());
    machine.before = nullptr;
    CHECK(patient.keeps(machine.disk()));
    for (std::size_t call = 0; call < kinds.size(); ++call) {
      for (const int number : {EIO, ENOSPC, EACCES}) {
        for (const bool persistent : {false, true}) {
          fail_repair(what, patient, call, number, persistent);
          ++runs;
        }
      }
    }
  });
  MESSAGE(runs << " failures in repairs");
  CHECK(runs > 500);
}

TEST_CASE("14 a repair that is cut off by a kill or a loss of power costs no byte of what is damaged") {
  std::size_t states = 0;
  for_each_patient([&states](SmallStore& what, const Patient& patient) {
    Machine machine(patient.disk());
    REQUIRE(what.verify(machine, true).value().sound());
    Sampling sampling;
    sampling.states = 24;
    sampling.tears = 4;
    const auto check = [&](const CrashState& state) {
      INFO(state.choice);
      patient.check_goes_on(state.disk);
      ++states;
      return true;
    };
    Disk disk = patient.disk();
    for (const Change& change : machine.trace()) {
      INFO("after " << change.describe());
      const Disk before = disk;
      disk.apply(change);
      power_loss_states(disk, sampling, check);
      process_death_states(before, change, sampling, check);
    }
  });
  MESSAGE(states << " states of repairs that were cut off");
  CHECK(states > 500);
}

TEST_CASE("a file that a program without the lock replaces while it is repaired is not taken away") {
  const auto stores = make_small_stores();
  SmallStore& what = *stores.front();
  const Patient patient(what, Damage::in_the_middle);
  Machine machine(patient.disk());
  const std::string fresh = "written in between";
  bool replaced = false;
  machine.before = [&](const SeamCall& call) {
    if (call.kind == "sync_directory" && call.name == "quarantine" && !std::exchange(replaced, true)) {
      const auto place = machine.files()->open_directory("/place/store").value();
      const auto file = place->open_file("fresh", OpenMode::create_exclusive).value();
      file->write_at(0, std::span(fresh.data(), fresh.size())).value();
      place->rename("fresh", "a.json").value();
    }
    return 0;
  };
  const auto report = what.verify(machine, true).value();
  machine.before = nullptr;
  REQUIRE(replaced);
  REQUIRE(report.findings.size() == 1);
  CHECK_FALSE(report.findings[0].repaired);
  REQUIRE(report.findings[0].failure);
  CHECK(report.findings[0].failure->code() == Errc::conflict);
  CHECK(*files_of(machine.disk()).at(what.file()) == fresh);
}
