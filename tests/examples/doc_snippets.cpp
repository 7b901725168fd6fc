// The code that the documents quote, as it is quoted, run.
#include "support/run.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>
#include <boost/asio.hpp>

namespace sessile {

using namespace std::chrono_literals;

namespace {

/// Waits to be cancelled, and then saves, as docs/durability.md says.
asio::awaitable<void> work_until_cancelled(StorePtr store) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  const auto [stopped] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  CHECK(stopped == asio::error::operation_aborted);
  const Session session(SessionId("last-words"));
  // [on-the-way-out]
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  auto saved = co_await store->save(session);
  // [/on-the-way-out]
  CHECK(saved.has_value());
}

asio::awaitable<void> keep_a_plan() {
  // [plan]
  const auto documents = sessile::open_documents("state").value();
  const json::value plan = {{"steps", 3}};
  (co_await documents.save_json("agents/planner", "plan", plan)).value();
  auto stored = (co_await documents.load_json("agents/planner", "plan")).value();  // empty when there is none
  // [/plan]
  REQUIRE(stored);
  CHECK(stored->value == plan);
}

json::value next(json::value state) {
  state.as_object()["turn"] = state.at("turn").as_int64() + 1;
  return state;
}

asio::awaitable<void> take_two_steps(DocumentStore documents) {
  const json::value first = {{"turn", 1}};
  (co_await documents.save_json("session-1", "state", first)).value();
  {
    // [two-steps]
    auto lock = (co_await documents.lock("session-1", sessile::DocumentLockOptions().timeout(2s))).value();
    auto before = (co_await lock.read_json("state")).value();
    (co_await lock.save_json("state", next(before.value))).value();
    // [/two-steps]
  }
  CHECK((co_await documents.read_json("session-1", "state")).value().value.at("turn") == 2);
}

/// Enters a directory for a while: the quoted code has relative paths.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::filesystem::path& path) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  ~WorkingDirectory() { std::filesystem::current_path(before_); }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;

 private:
  std::filesystem::path before_;
};

}  // namespace

TEST_CASE("docs/durability.md: a coroutine that is cancelled saves on its way out") {
  const StorePtr store = open_store("memory:").value();
  asio::io_context context(1);
  asio::cancellation_signal stop;
  asio::co_spawn(context, work_until_cancelled(store),
                 asio::bind_cancellation_slot(stop.slot(), asio::detached));
  asio::post(context, [&stop] { stop.emit(asio::cancellation_type::terminal); });
  context.run();
  CHECK(testing::run(exists(store, "last-words")).value());
}

TEST_CASE("docs/documents.md: a document is saved, loaded, and changed under one lock") {
  const testing::TemporaryDirectory place;
  const WorkingDirectory here(place.path());
  testing::run(keep_a_plan());
  testing::run(take_two_steps(open_documents("state").value()));
}

}  // namespace sessile
