// The directory of a filesystem store that is deleted, moved away or failing while the store works in it.
#include "backends/filesystem/store.hpp"
#include "faulty_file_system.hpp"
#include "store_scratch.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <thread>
#include <utility>

namespace sessile {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using storage::testing::Faults;
using storage::testing::FaultyFileSystem;
using storage::testing::os_error;
using test::run;
namespace errc = boost::system::errc;

class Fixture {
 public:
  Fixture() {
    fs::create_directory(place);
    store = open();
    run(store->save(Session("a").add_message("user", "first"))).value();
  }
  StorePtr open() const {
    return std::make_shared<filesystem::FilesystemStore>(std::make_shared<FaultyFileSystem>(faults), place,
                                                         LockOptions(),
                                                         OpenOptions().durability(Durability::process));
  }
  /// Puts a copy in the place of the directory right before the next call `call` that is about `name`.
  void restore_before(const std::string& call, const std::string& name) {
    fs::copy(place, scratch / "spare", fs::copy_options::recursive);
    faults->before = [=, this, done = false](const std::string& made, const std::string& about) mutable {
      if (made == call && about == name && !std::exchange(done, true)) {
        fs::remove_all(place);
        fs::rename(scratch / "spare", place);
      }
      return boost::system::error_code();
    };
  }
  int syncs_of(const std::string& name, const std::function<void()>& work) const {
    int syncs = 0;
    faults->before = [&](const std::string& call, const std::string& about) {
      if (call == "sync" && about == name) ++syncs;
      return boost::system::error_code();
    };
    work();
    faults->before = nullptr;
    return syncs;
  }

  test::StoreScratch scratch;
  fs::path place = scratch / "place";
  const testing::SoundAtEnd sound{"file:" + place.string()};
  std::shared_ptr<Faults> faults = std::make_shared<Faults>();
  StorePtr store;
};

}  // namespace

TEST_CASE("an append that begins again, in a copy that was put in place, writes what it was given") {
  for (const char* key : {"", "key"}) {
    Fixture f;
    f.restore_before("rename", "a.json");
    const Message message("assistant", "second");
    run(f.store->append("a", message, AppendOptions().idempotency_key(key))).value();
    const auto stored = run(f.store->load("a")).value();
    REQUIRE(stored->messages.size() == 2);
    CHECK(stored->messages[1].role == "assistant");
    CHECK(stored->messages[1].content == json::value("second"));
    if (*key == '\0') continue;
    CHECK(run(f.store->append("a", message, AppendOptions().idempotency_key(key))).value().replayed);
  }
}

TEST_CASE("a save and an update begin again in a copy that was put in place") {
  Fixture f;
  f.restore_before("rename", "a.json");
  run(f.store->save(Session("a").set_title("saved"))).value();
  CHECK(run(f.store->load("a")).value()->title == "saved");
  f.restore_before("rename", "a.json");
  auto updated = run(f.store->update("a", [](Session& session) { session.title = "updated"; }));
  // The user's code ran already: what it made of the other directory's session is not written here.
  REQUIRE_FALSE(updated);
  CHECK(updated.error().code() == Errc::unavailable);
  CHECK(run(f.store->load("a")).value()->title == "saved");
}

TEST_CASE("26 what is in doubt when the time is up is told as indeterminate") {
  Fixture f;
  f.faults->before = [](const std::string& call, const std::string&) {
    if (call != "sync_directory") return boost::system::error_code();
    std::this_thread::sleep_for(300ms);
    return os_error(errc::io_error);
  };
  const auto options = AppendOptions().durability(Durability::power).timeout(50ms);
  auto appended = run(f.store->append("a", Message("user", "second"), options));
  REQUIRE_FALSE(appended);
  CHECK(appended.error().code() == Errc::indeterminate);
  CHECK(run(f.store->load("a")).value()->messages.size() == 2);
}

TEST_CASE("6 a directory that was moved away stays the store's, and a flush syncs it") {
  Fixture f;
  fs::rename(f.place, f.scratch / "moved");
  CHECK(run(f.store->load("unknown")).error().code() == Errc::not_found);
  CHECK(run(f.store->list()).value().items.size() == 1);
  run(f.store->save(Session("b"))).value();
  CHECK(fs::exists(f.scratch / "moved" / "b.json"));
  CHECK_FALSE(fs::exists(f.place));
  CHECK(f.syncs_of("a.json", [&f] { run(f.store->flush()).value(); }) == 1);
}

TEST_CASE("6 what was acknowledged as it was there already is what a flush syncs") {
  Fixture f;
  const auto keyed = AppendOptions().idempotency_key("key");
  run(f.store->append("a", Message("user", "second"), keyed)).value();
  f.store = f.open();  // of another process, which knows nothing of that write
  CHECK(run(f.store->append("a", Message("user", "second"), keyed)).value().replayed);
  CHECK(f.syncs_of("a.json", [&f] { run(f.store->flush()).value(); }) == 1);
  f.store = f.open();
  run(f.store->update("a", [](Session&) {})).value();
  CHECK(f.syncs_of("a.json", [&f] { run(f.store->flush()).value(); }) == 1);
  const auto durably = AppendOptions().durability(Durability::power);
  CHECK(f.syncs_of("a.json", [&] { run(f.store->append("a", std::vector<Message>(), durably)).value(); }) ==
        1);
}

}  // namespace sessile
