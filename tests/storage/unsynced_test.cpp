// What a flush of the filesystem store says while another one is at it.
#include "faulty_file_system.hpp"
#include "support/temporary_directory.hpp"

#include "backends/filesystem/unsynced.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

namespace sessile::filesystem {
namespace {

using storage::testing::Faults;
using storage::testing::os_error;
namespace errc = boost::system::errc;

class Fixture {
 public:
  Fixture() {
    std::ofstream(place.path() / "a.json") << "text";
    std::ofstream(place.path() / "b.json") << "text";
    unsynced.wrote(*directory, "a.json", false, Durability::process);
    unsynced.wrote(*directory, "b.json", false, Durability::process);
  }
  /// Calls `job` in the middle of the first sync of a.json.
  template <class Job>
  void during_the_first_sync(Job job) {
    faults->before = [this, job, first = true](const std::string& call, const std::string& name) mutable {
      if (call == "sync") ++syncs;
      if (call != "sync" || name != "a.json" || !std::exchange(first, false)) {
        return boost::system::error_code();
      }
      return job();
    };
  }

  sessile::testing::TemporaryDirectory place;
  std::shared_ptr<Faults> faults = std::make_shared<Faults>();
  std::shared_ptr<storage::Directory> directory =
      *storage::testing::FaultyFileSystem(faults).open_directory(place.path());
  Unsynced unsynced;
  int syncs = 0;
};

TEST_CASE("A sync beside another one syncs what that has not yet") {
  Fixture f;
  f.during_the_first_sync([&f] {
    CHECK(f.unsynced.sync(*f.directory));
    CHECK(f.syncs == 3);
    return os_error(errc::io_error);
  });
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
}

TEST_CASE("What is written during a sync is not taken for synced") {
  Fixture f;
  f.during_the_first_sync([&f] {
    f.unsynced.wrote(*f.directory, "a.json", false, Durability::process);
    return boost::system::error_code();
  });
  CHECK(f.unsynced.sync(*f.directory));
  CHECK(f.syncs == 2);
  CHECK(f.unsynced.sync(*f.directory));
  CHECK(f.syncs == 3);
  CHECK(f.unsynced.sync(*f.directory));
  CHECK(f.syncs == 3);
}

TEST_CASE("6 a directory whose sync failed is synced by the next flush") {
  Fixture f;
  bool fails = true;
  f.faults->before = [&fails](const std::string& call, const std::string&) {
    return call == "sync_directory" && fails ? os_error(errc::io_error) : boost::system::error_code();
  };
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
  fails = false;
  CHECK(f.unsynced.sync(*f.directory));
  CHECK(f.unsynced.sync(*f.directory, "a.json"));
}

TEST_CASE("6 what one store could not sync no other one takes for synced, until it is written anew") {
  Fixture f;
  bool fails = true;
  f.faults->before = [&fails](const std::string& call, const std::string& name) {
    return call == "sync" && name == "a.json" && fails ? os_error(errc::io_error)
                                                       : boost::system::error_code();
  };
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
  fails = false;
  Unsynced other;
  CHECK(other.sync(*f.directory, "a.json").error().code() == Errc::indeterminate);
  CHECK(other.sync(*f.directory, "b.json"));
  other.found("a.json");
  CHECK(other.sync(*f.directory).error().code() == Errc::indeterminate);
  // Another process has nothing but this.
  CHECK(std::filesystem::exists(f.place.path() / "a.json.poisoned"));

  other.wrote(*f.directory, "a.json", true, Durability::process);
  CHECK_FALSE(std::filesystem::exists(f.place.path() / "a.json.poisoned"));
  CHECK(f.unsynced.sync(*f.directory));
  CHECK(other.sync(*f.directory));
  CHECK(other.sync(*f.directory, "a.json"));
}

TEST_CASE("6 a flush does not forget what another one beside it could not sync") {
  Fixture f;
  bool beside = false, done = false;
  f.faults->before = [&](const std::string& call, const std::string& name) {
    if (call != "sync" || name != "a.json") return boost::system::error_code();
    if (beside) return os_error(errc::io_error);
    if (!std::exchange(done, true)) {
      beside = true;
      CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
      beside = false;
    }
    return boost::system::error_code();
  };
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
}

TEST_CASE("6 a flush that could not sync a new file before its writer noted it is not forgotten") {
  Fixture f;
  f.faults->before = [](const std::string& call, const std::string&) {
    return call == "sync" ? os_error(errc::io_error) : boost::system::error_code();
  };
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
  f.faults->before = nullptr;
  // There was no mark when the writer put the file in place.
  f.unsynced.wrote(*f.directory, "a.json", false, Durability::process);
  f.unsynced.wrote(*f.directory, "b.json", false, Durability::process);
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
}

TEST_CASE("6 what another process wrote anew since is synced by one that could not sync it before") {
  Fixture f;
  f.faults->before = [](const std::string& call, const std::string&) {
    return call == "sync" ? os_error(errc::io_error) : boost::system::error_code();
  };
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
  f.faults->before = nullptr;
  for (const char* mark : {"a.json.poisoned", "b.json.poisoned"})
    CHECK(std::filesystem::remove(f.place.path() / mark));
  CHECK(f.unsynced.sync(*f.directory));
}

TEST_CASE("6 a mark that another process made is believed") {
  Fixture f;
  std::ofstream(f.place.path() / "a.json.poisoned") << "";
  CHECK(f.unsynced.sync(*f.directory).error().code() == Errc::indeterminate);
  f.unsynced.removed(*f.directory, "a.json", Durability::power);
  CHECK(f.unsynced.sync(*f.directory));
}

TEST_CASE("More files than are remembered are all synced, those that nobody wrote here as well") {
  Fixture f;
  f.faults->before = [&f](const std::string& call, const std::string&) {
    if (call == "sync") ++f.syncs;
    return boost::system::error_code();
  };
  for (int i = 0; i < 20'000; ++i)
    f.unsynced.wrote(*f.directory, "gone-" + std::to_string(i) + ".json", false, Durability::process);
  std::ofstream(f.place.path() / "c.json") << "text";
  std::ofstream(f.place.path() / "no session") << "text";
  CHECK(f.unsynced.sync(*f.directory));
  CHECK(f.syncs == 3);
  CHECK(f.unsynced.sync(*f.directory));
  CHECK(f.syncs == 3);
}

}  // namespace
}  // namespace sessile::filesystem
