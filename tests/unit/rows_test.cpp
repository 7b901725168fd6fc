// The interface's own rows of the behaviours: P1, P2, P7, P10 and P11.
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>
#include <boost/asio.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <thread>

using namespace sessile;
using namespace std::chrono_literals;

namespace {

/// What a user has to write: four functions. Sessions of which it lists an id that is not there, or cannot be
/// read, are told to it beforehand.
class OwnStore final : public SessionStore {
 public:
  OwnStore() : SessionStore(OpenOptions(), own()) {}

  std::vector<SessionId> gone_when_loaded;
  std::vector<SessionId> unreadable_when_loaded;
  std::optional<Errc> out_of_order;  ///< of every load

 private:
  static Capabilities own() {
    Capabilities capabilities;
    capabilities.backend = "own";
    return capabilities;
  }
  static bool contains(const std::vector<SessionId>& ids, const SessionId& id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  }

  Async<Written> do_save(SessionPtr session, SaveOptions options) override {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session->id);
    std::optional<StoredState> stored;
    if (found != sessions_.end()) {
      stored.emplace(found->second->revision, found->second->created_at, found->second->updated_at);
    }
    const auto revision = stored ? std::optional(stored->revision) : std::nullopt;
    if (auto expected = check_revision(options.if_revision(), revision); !expected)
      co_return expected.error();
    const Written written = stamper_.next(stored, *session, options.times());
    const SessionId id = session->id;
    sessions_[id] = std::make_shared<const Session>(stamped(*session, written));
    co_return written;
  }
  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override {
    const std::lock_guard lock(mutex_);
    if (out_of_order) co_return Error(*out_of_order);
    if (contains(unreadable_when_loaded, id)) co_return Error(Errc::corrupt).with_path("/somewhere");
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || contains(gone_when_loaded, id)) co_return Error(Errc::not_found);
    co_return partial_view(found->second, options);
  }
  Async<Page<SessionSummary>> do_list(ListQuery query) override {
    const std::lock_guard lock(mutex_);
    std::vector<SessionSummary> all;
    for (const auto& [id, session] : sessions_) {
      all.push_back(summarize(*session));
    }
    co_return make_page(std::move(all), {}, query);
  }
  Async<void> do_remove(SessionId id, RemoveOptions) override {
    const std::lock_guard lock(mutex_);
    if (sessions_.erase(id) == 0) co_return Error(Errc::not_found);
    co_return success();
  }

  std::mutex mutex_;
  std::map<SessionId, SessionPtr> sessions_;  // protected by mutex_
  const Stamper stamper_{system_clock()};
};

class Scratch {
 public:
  const std::filesystem::path& path() const noexcept { return place.path(); }
  StorePtr open(const std::string& parameters = "", OpenOptions options = OpenOptions()) const {
    return open_store("file:" + path().string() + parameters, std::move(options)).value();
  }

  const testing::TemporaryDirectory place;
  const testing::SoundAtEnd sound{"file:" + path().string()};
};

}  // namespace

TEST_CASE("P1 a store that a user writes has the whole interface, from many threads at once") {
  auto store = std::make_shared<OwnStore>();
  blocking::save(*store, Session("shared").set_agent("a")).value();
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, &failures, t] {
      const SessionId mine(std::to_string(t));
      for (int i = 0; i < 25; ++i) {
        const bool fine =
            blocking::save(*store, Session(mine).set_agent("a")).has_value() &&
            blocking::load(*store, mine).has_value() &&
            blocking::append(*store, "shared", std::vector<Message>(1, Message("user", "x"))).has_value() &&
            blocking::update(*store, mine, [](Session& s) { s.title += "x"; }).has_value() &&
            blocking::list(*store).has_value() && blocking::remove(*store, mine).has_value();
        if (!fine) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(failures == 0);
  CHECK(blocking::load(*store, "shared").value()->messages.size() == 100);
  CHECK(blocking::list_for_agent(*store, "a").value().items.size() == 1);
}

TEST_CASE(
    "P2 list_for_agent is built from list and load: the removed is skipped, the unreadable is reported") {
  auto store = std::make_shared<OwnStore>();
  for (const char* id : {"bad", "good", "gone", "other"}) {
    blocking::save(*store, Session(id).set_agent(std::string(id) == "other" ? "b" : "a")).value();
  }
  store->gone_when_loaded.emplace_back("gone");
  store->unreadable_when_loaded.emplace_back("bad");
  const AgentSessions page = blocking::list_for_agent(*store, "a").value();
  REQUIRE(page.items.size() == 1);
  CHECK(page.items[0]->id == SessionId("good"));
  REQUIRE(page.unreadable.size() == 1);
  CHECK(page.unreadable[0].code() == Errc::corrupt);
  CHECK(page.unreadable[0].key() == "bad");
}

TEST_CASE("P7 readers take no lock, and every document they see is complete") {
  const Scratch scratch;
  const StorePtr store = scratch.open("?durability=process");
  Session small("s");
  small.add_message("user", json::string(100, 's'));
  Session large("s");
  large.add_message("user", json::string(100'000, 'l'));
  blocking::save(*store, small).value();

  std::promise<void> holding;
  std::promise<void> release;
  std::thread holder([&] {
    // The mutation runs while the writer holds the lock.
    blocking::update(*store, "s", [&](Session& session) {
      session.title = "held";
      holding.set_value();
      release.get_future().wait();
    }).value();
  });
  holding.get_future().wait();
  CHECK(blocking::load(*store, "s").value()->title.empty());
  CHECK(blocking::list(*store).value().items.size() == 1);
  release.set_value();
  holder.join();

  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      blocking::save(*store, i % 2 == 0 ? large : small).value();
    }
    stop = true;
  });
  int torn = 0;
  while (!stop) {
    const SessionPtr seen = blocking::load(*store, "s").value();
    const auto size = seen->messages.at(0).content.as_string().size();
    if (size != 100 && size != 100'000) ++torn;
  }
  writer.join();
  CHECK(torn == 0);
}

TEST_CASE("P10 file work does not run on the caller's event loop") {
  const Scratch scratch;
  asio::thread_pool pool(1);
  StorePtr store = scratch.open("", OpenOptions().executor(pool.get_executor()));
  std::promise<void> release;
  asio::post(pool, [&release] { release.get_future().wait(); });

  asio::io_context loop;
  bool saved = false;
  bool saved_while_blocked = true;
  asio::co_spawn(loop, store->save(Session("s")),
                 [&saved](std::exception_ptr, Result<Written> written) { saved = written.has_value(); });
  asio::steady_timer timer(loop, 50ms);
  timer.async_wait([&](const boost::system::error_code&) {
    // The loop turns although the pool is stuck, and the save has waited for the pool.
    saved_while_blocked = saved;
    release.set_value();
  });
  loop.run();
  CHECK_FALSE(saved_while_blocked);
  CHECK(saved);
  pool.join();
}

TEST_CASE(
    "P11 each failure has its kind, operation, backend, key and cause, and says whether a retry can help") {
  const Scratch scratch;
  const StorePtr store = scratch.open("?lock_timeout=20ms");
  blocking::save(*store, Session("s")).value();

  const Error missing = blocking::load(*store, "nobody").error();
  CHECK(missing.code() == Errc::not_found);
  CHECK(missing.operation() == "load");
  CHECK(missing.backend() == "filesystem");
  CHECK(missing.key() == "nobody");
  CHECK_FALSE(missing.retryable());

  std::ofstream(scratch.path() / "damaged.json") << "{\"session_id\": ";
  scratch.sound.expect(FindingKind::corrupt);
  const Error damaged = blocking::load(*store, "damaged").error();
  CHECK(damaged.code() == Errc::corrupt);
  CHECK(damaged.path().find("damaged.json") != std::string::npos);
  CHECK_FALSE(damaged.retryable());

  Error locked;
  blocking::update(*store, "s", [&](Session& session) {
    session.title = "held";
    locked = blocking::save(*scratch.open("?lock_timeout=20ms"), Session("s")).error();
  }).value();
  CHECK(locked.code() == Errc::locked);
  CHECK(locked.key() == "s");
  CHECK(locked.waited().has_value());
  CHECK(locked.retryable());

  std::ofstream(scratch.path() / "file") << "no directory";
  auto nowhere = open_store("file:" + (scratch.path() / "file").string()).value();
  const Error unavailable = blocking::save(*nowhere, Session("s")).error();
  CHECK(unavailable.code() == Errc::unavailable);
  CHECK(unavailable.cause().value() == ENOTDIR);
}

TEST_CASE("a check of a store that cannot be reached ends with its error, and accuses no session") {
  auto store = std::make_shared<OwnStore>();
  REQUIRE(blocking::save(*store, Session("s")));
  CHECK(blocking::verify(*store).value().sound());
  for (const Errc code : {Errc::unavailable, Errc::cancelled, Errc::timed_out, Errc::closed}) {
    store->out_of_order = code;
    CHECK(blocking::verify(*store).error().code() == code);
  }
  store->out_of_order = Errc::corrupt;
  CHECK_FALSE(blocking::verify(*store).value().sound());
}
