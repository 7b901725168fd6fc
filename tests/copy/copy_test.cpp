// copy: nothing lost, nothing twice, nothing overwritten that is newer, every difference named.
#include "copy/varied_sessions.hpp"
#include "retention/stores.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <functional>
#include <optional>
#include <set>

using namespace sessile;
using namespace sessile::testing;
using namespace std::chrono_literals;

namespace {

/// Waits until it is cancelled, and copies then.
asio::awaitable<void> copy_when_cancelled(StorePtr from, StorePtr to, Result<CopyReport>& outcome) {
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::steady_timer timer(co_await asio::this_coro::executor, 60s);
  boost::system::error_code ended;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  outcome = co_await copy(std::move(from), std::move(to));
}

// A store in front of memory whose answers a test may change.
class Meddler final : public SessionStore {
 public:
  Meddler() : SessionStore(OpenOptions(), named()), inner(open_store("memory:").value()) {}
  const StorePtr inner;
  // Set before the store is used.
  std::function<std::optional<Error>(const Session&)> before_save = [](const Session&) {
    return std::nullopt;
  };
  std::function<void(Session&)> stored = [](Session&) {};
  std::function<std::optional<Error>(const SessionId&)> before_load = [](const SessionId&) {
    return std::nullopt;
  };
  std::function<void(Page<SessionSummary>&)> listed = [](Page<SessionSummary>&) {};
  int saves = 0;

 private:
  static Capabilities named() {
    Capabilities capabilities;
    capabilities.backend = "meddler";
    return capabilities;
  }
  Async<Written> do_save(SessionPtr session, SaveOptions options) override {
    ++saves;
    if (auto failure = before_save(*session)) co_return *failure;
    Session changed = *session;
    stored(changed);
    auto written = co_await inner->save(std::move(changed), std::move(options));
    co_return written;
  }
  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override {
    if (auto failure = before_load(id)) co_return *failure;
    auto loaded = co_await inner->load(std::move(id), std::move(options));
    co_return loaded;
  }
  Async<Page<SessionSummary>> do_list(ListQuery query) override {
    auto page = co_await inner->list(std::move(query));
    if (page) listed(*page);
    co_return page;
  }
  Async<void> do_remove(SessionId id, RemoveOptions options) override {
    auto removed = co_await inner->remove(std::move(id), std::move(options));
    co_return removed;
  }
};

CopyReport copied(const StorePtr& from, const StorePtr& to, CopyOptions options = CopyOptions()) {
  return run(sessile::copy(from, to, std::move(options))).value();
}

StorePtr memory_with(int count) {
  StorePtr store = open_store("memory:").value();
  fill(store, count);
  return store;
}

}  // namespace

TEST_CASE("a copy that is begun by who is cancelled already does nothing") {
  const StorePtr from = open_store("memory:").value();
  const StorePtr to = open_store("memory:").value();
  blocking::save(*from, Session("a")).value();
  asio::io_context context;
  asio::cancellation_signal signal;
  Result<CopyReport> outcome;
  asio::co_spawn(context, copy_when_cancelled(from, to, outcome),
                 asio::bind_cancellation_slot(signal.slot(), asio::detached));
  asio::post(context, [&signal] { signal.emit(asio::cancellation_type::terminal); });
  context.run();
  CHECK(outcome.error().code() == Errc::cancelled);
  CHECK(outcome.error().operation() == "copy");
  CHECK(blocking::list(*to).value().items.empty());
}

TEST_CASE("copy carries everything over between any two kinds of store") {
  for_each_store([](TestStore& source) {
    fill(source.store, 60);
    const std::vector<std::string> expected = documents_of(source.store);
    REQUIRE(expected.size() == 60);
    for (const std::string scheme : {"memory", "file", "jsondir"}) {
      CAPTURE(scheme);
      TestStore target(scheme);
      std::uint64_t steps = 0;
      auto options = CopyOptions().progress([&](std::uint64_t done, std::uint64_t total) {
        CHECK(done == ++steps);
        CHECK(total == 60);
      });
      const CopyReport report = copied(source.store, target.store, options);
      CHECK(report.copied == 60);
      CHECK(report.verified == 60);
      CHECK(report.sessions == 60);
      CHECK(report.failed.empty());
      CHECK(steps == 60);
      CHECK(documents_of(target.store) == expected);
      CHECK(copied(target.store, source.store, CopyOptions().verify_only()).verified == 60);
    }
  });
}

TEST_CASE("copy keeps times that are missing, foreign or no times at all") {
  for_each_store([](TestStore& target) {
    TemporaryDirectory place;
    const SoundAtEnd sound("file:" + place.path().string());
    std::ofstream(place.path() / "none.json") << R"({"session_id":"none","messages":[]})";
    std::ofstream(place.path() / "odd.json")
        << R"({"session_id":"odd","messages":[],"created_at":"yesterday","updated_at":1767323045})";
    std::ofstream(place.path() / "old.json")
        << R"({"session_id":"old","created_at":"2026-01-01T00:00:00+01:00","last_active_at":"2026-01-02 00:00:00","loops":[{"user_message":"Hi","agent_response":"Ho","id":"l1"}],"meta":{"k":1}})";
    const StorePtr source = open_store("file:" + place.path().string()).value();
    const CopyReport report = copied(source, target.store);
    CHECK(report.verified == 3);
    for (const Error& error : report.failed)
      MESSAGE(error.message());
    CHECK(report.failed.empty());
    const std::string odd = encode_session(*run(target.store->load("odd")).value());
    CHECK(odd.find("\"created_at\":\"yesterday\"") != std::string::npos);
    CHECK(odd.find("\"updated_at\":1767323045") != std::string::npos);
    CHECK(copied(source, target.store).unchanged == 3);
  });
}

TEST_CASE("A second copy writes only what is new or was updated since") {
  for_each_store([](TestStore& target) {
    const StorePtr source = memory_with(20);
    copied(source, target.store);
    const Revision before = run(target.store->load("plain-6")).value()->revision;
    run(source->append("plain-0", Message("user", "one more"))).value();
    run(source->save(Session("new"))).value();
    run(source->remove("plain-12")).value();
    const CopyReport report = copied(source, target.store);
    CHECK(report.copied == 1);
    CHECK(report.recopied == 1);
    CHECK(report.unchanged == 18);
    CHECK(report.verified == 20);
    CHECK(report.extra == 1);
    CHECK(run(target.store->load("plain-0")).value()->messages.back().content == "one more");
    CHECK(run(target.store->load("plain-6")).value()->revision == before);
    CHECK(content_hash(*run(target.store->load("plain-0")).value()) ==
          content_hash(*run(source->load("plain-0")).value()));
  });
}

TEST_CASE("What the target has and the source did not update later is a conflict, and stays") {
  for_each_store([](TestStore& target) {
    const StorePtr source = memory_with(12);
    copied(source, target.store);
    Session changed = *run(target.store->load("plain-6")).value();
    changed.title = "of the target";
    run(target.store->save(changed, SaveOptions().times(Times::preserve))).value();  // as old as the source's
    target.clock->advance(24h * 365 * 20);
    run(target.store->append("plain-0", Message("user", "newer"))).value();
    for (const bool verify_only : {true, false}) {
      const CopyReport report =
          copied(source, target.store, verify_only ? CopyOptions().verify_only() : CopyOptions());
      REQUIRE(report.failed.size() == 2);
      CHECK(report.verified == 10);
      CHECK(report.sessions == 12);
      std::set<std::string> keys;
      for (const Error& error : report.failed) {
        CHECK(error.code() == Errc::conflict);
        keys.insert(error.key());
      }
      CHECK(keys == std::set<std::string>{"plain-0", "plain-6"});
    }
    CHECK(run(target.store->load("plain-6")).value()->title == "of the target");
    CHECK(run(target.store->load("plain-0")).value()->messages.back().content == "newer");
  });
}

TEST_CASE("verify_only writes nothing and names what is missing") {
  const StorePtr source = memory_with(8);
  const auto target = std::make_shared<Meddler>();
  copied(source, target);
  run(target->inner->remove("plain-6")).value();
  const int saves = target->saves;
  const CopyReport report = copied(source, target, CopyOptions().verify_only());
  REQUIRE(report.failed.size() == 1);
  CHECK(report.failed[0].code() == Errc::not_found);
  CHECK(report.failed[0].key() == "plain-6");
  CHECK(report.verified == 7);
  CHECK(target->saves == saves);
}

TEST_CASE("A target that stores something else, or does not list it, is found out by name") {
  const StorePtr source = memory_with(8);
  const auto altering = std::make_shared<Meddler>();
  altering->stored = [](Session& session) {
    if (session.id == SessionId("plain-6")) session.messages.back().extra["a"] = 0.0;  // it was -0
  };
  const CopyReport altered = copied(source, altering);
  REQUIRE(altered.failed.size() == 1);
  CHECK(altered.failed[0].key() == "plain-6");
  CHECK(altered.verified == 7);

  const auto hiding = std::make_shared<Meddler>();
  hiding->listed = [](Page<SessionSummary>& page) {
    std::erase_if(page.items, [](const SessionSummary& one) { return one.id == SessionId("plain-6"); });
  };
  const CopyReport hidden = copied(source, hiding);
  REQUIRE(hidden.failed.size() == 1);
  CHECK(hidden.failed[0].key() == "plain-6");
  CHECK(hidden.failed[0].detail().find("listing") != std::string::npos);
}

TEST_CASE("What cannot be read or written is reported once, and the rest is copied") {
  const auto source = std::make_shared<Meddler>();
  fill(source->inner, 10);
  source->before_load = [](const SessionId& id) {
    return id == SessionId("plain-0") ? std::optional(Error(Errc::corrupt, "torn")) : std::nullopt;
  };
  source->listed = [](Page<SessionSummary>& page) {
    page.unreadable.push_back(Error(Errc::corrupt, "no head").with_path("lost"));
  };
  const auto target = std::make_shared<Meddler>();
  target->before_save = [](const Session& session) {
    return session.id == SessionId("plain-6") ? std::optional(Error(Errc::too_large)) : std::nullopt;
  };
  // What a newer version wrote there is no reason to leave the rest.
  target->before_load = [](const SessionId& id) {
    return id == SessionId(".dot2") ? std::optional(Error(Errc::unsupported, "a newer format"))
                                    : std::nullopt;
  };
  const CopyReport report = copied(source, target);
  CHECK(report.copied == 7);
  CHECK(report.verified == 7);
  CHECK(report.sessions == 10);
  REQUIRE(report.failed.size() == 4);
  CHECK(report.failed[0].path() == "lost");
  CHECK(report.failed[1].code() == Errc::unsupported);
  CHECK(report.failed[1].key() == ".dot2");
  CHECK(report.failed[2].code() == Errc::corrupt);
  CHECK(report.failed[2].key() == "plain-0");
  CHECK(report.failed[3].code() == Errc::too_large);
  CHECK(report.failed[3].key() == "plain-6");
}

TEST_CASE("A save whose outcome is not known is looked up, and a target that is gone ends the copy") {
  const StorePtr source = memory_with(8);
  const auto target = std::make_shared<Meddler>();
  bool stored = false;
  target->before_save = [&](const Session& session) -> std::optional<Error> {
    if (!(session.id == SessionId("plain-6")) || stored) return std::nullopt;
    stored = true;
    run(target->inner->save(session, SaveOptions().times(Times::preserve))).value();
    return Error(Errc::indeterminate, "the connection broke");
  };
  const CopyReport report = copied(source, target, CopyOptions().concurrency(1));
  CHECK(stored);
  CHECK(report.verified == 8);
  CHECK(report.failed.empty());
  // Once more than there are sessions: what is there after such an answer may be lost with the power.
  CHECK(target->saves == 9);

  const auto gone = std::make_shared<Meddler>();
  gone->before_save = [](const Session&) { return std::optional(Error(Errc::unavailable)); };
  CHECK(run(sessile::copy(source, gone)).error().code() == Errc::unavailable);
  CHECK(run(sessile::copy(source, gone, CopyOptions().concurrency(0))).error().code() ==
        Errc::invalid_argument);
}

TEST_CASE("A session whose durability stays unknown is not called copied") {
  const StorePtr source = memory_with(3);
  const auto target = std::make_shared<Meddler>();
  target->before_save = [&](const Session& session) -> std::optional<Error> {
    if (!(session.id == SessionId("plain-0"))) return std::nullopt;
    run(target->inner->save(session, SaveOptions().times(Times::preserve))).value();
    return Error(Errc::indeterminate, "the directory could not be synced");
  };
  const CopyReport report = copied(source, target, CopyOptions().concurrency(1));
  CHECK(report.verified == 2);
  REQUIRE(report.failed.size() == 1);
  CHECK(report.failed[0].code() == Errc::indeterminate);
  CHECK(report.failed[0].key() == "plain-0");
}

TEST_CASE("A cancelled copy says so and can be run again") {
  const StorePtr source = memory_with(40);
  TestStore target("file");
  asio::io_context context(1);
  asio::cancellation_signal signal;
  std::optional<Result<CopyReport>> outcome;
  auto options = CopyOptions().concurrency(2).progress([&](std::uint64_t done, std::uint64_t) {
    if (done == 10) asio::post(context, [&] { signal.emit(asio::cancellation_type::terminal); });
  });
  asio::co_spawn(
      context, sessile::copy(source, target.store, options),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr, Result<CopyReport> result) {
        outcome.emplace(std::move(result));
      }));
  context.run();
  REQUIRE(outcome);
  CHECK(outcome->error().code() == Errc::cancelled);
  const CopyReport rest = copied(source, target.store);
  CHECK(rest.copied < 40);
  CHECK(rest.unchanged >= 10);
  CHECK(rest.verified == 40);
}
