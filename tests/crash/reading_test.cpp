// Every call through the seam fails once, or for good, while something is read.
#include "failing_calls.hpp"
#include "small_stores.hpp"
#include "support/sound.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <functional>
#include <set>

using namespace sessile;
using namespace sessile::crash;

namespace {

using Reading = std::function<Result<std::string>(SmallStore&, Machine&)>;

/// What was asked for, or a typed error: never a part of it, nor that there is nothing, nor that it is
/// damaged.
void check_answer(const Result<std::string>& answer, const std::string& right) {
  if (answer) {
    // A listing may show what it cannot read as such.
    const bool complete = *answer == right || answer->find('?') != std::string::npos;
    CHECK_MESSAGE(complete, *answer << "instead of " << right);
    return;
  }
  static const std::set<Errc> typed{Errc::io, Errc::unavailable};
  CHECK_MESSAGE(typed.contains(answer.error().code()), answer.error().message());
}

void fail_everywhere(const Reading& read, std::size_t& runs) {
  for (const auto& store : make_small_stores()) {
    INFO(store->name());
    const Disk disk = filled(*store);
    std::vector<std::string> kinds;
    Machine good(disk);
    note_calls(good, kinds);
    const std::string right = read(*store, good).value();
    for (std::size_t call = 0; call < kinds.size(); ++call) {
      for (const int number : {EIO, EACCES, EMFILE, ENOMEM}) {
        for (const bool persistent : {false, true}) {
          INFO("call " << call << " (" << kinds[call] << "), errno " << number
                       << (persistent ? ", persistent" : ", once"));
          Machine machine(disk);
          fail_call(machine, call, number, persistent);
          check_answer(read(*store, machine), right);
          machine.before = nullptr;
          CHECK(read(*store, machine).value() == right);
          sessile::testing::check_sound(store->verify(machine, false));
          check_nothing_open(machine);
          ++runs;
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("27 a call that fails while an object is read is told, and never taken for damage or for absence") {
  std::size_t runs = 0;
  fail_everywhere([](SmallStore& store, Machine& machine) { return store.content(machine, "a"); }, runs);
  MESSAGE(runs << " failures in reads");
  CHECK(runs > 100);
}

TEST_CASE("27 a call that fails while objects are listed is told, and hides none of them") {
  std::size_t runs = 0;
  fail_everywhere([](SmallStore& store, Machine& machine) { return store.listing(machine); }, runs);
  MESSAGE(runs << " failures in listings");
  CHECK(runs > 100);
}
