// A category's lock held over several steps.
#include "document_scratch.hpp"

#include <sessile/documents.hpp>
#include <sessile/wait.hpp>

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>

#include <thread>

using namespace sessile;
using namespace std::chrono_literals;
using blocking::wait;
using Scratch = sessile::test::DocumentScratch;

namespace {

DocumentStore open(const Scratch& scratch) {
  const auto options =
      DocumentStoreOptions().durability(Durability::process).lock(LockOptions().timeout(60s));
  return open_documents(scratch.path(), options).value();
}

const auto kShort = DocumentLockOptions().timeout(50ms);

bool is_locked(const DocumentStore& documents, const std::string& category) {
  const auto lock = wait(documents.lock(category, kShort));
  return !lock && lock.error().code() == Errc::locked;
}

Async<int> steps(DocumentStore documents, bool fail) {
  auto lock = (co_await documents.lock("session")).value();
  const auto before = (co_await lock.load_json("state")).value();
  const int next = before ? static_cast<int>(before->value.as_int64()) + 1 : 0;
  (co_await lock.save_json("state", next)).value();
  (co_await lock.save_markdown("log", "step")).value();
  if (fail) throw std::runtime_error("in the middle");
  (co_await lock.update_json("other", DocumentEdit::set("n", next))).value();
  co_return next;
}

}  // namespace

TEST_CASE("M2 several steps under one lock, and it is free afterwards") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  CHECK(wait(steps(documents, false)).value() == 0);
  CHECK(wait(steps(documents, false)).value() == 1);
  CHECK(wait(documents.read_json("session", "other")).value().value.at("n") == 1);
  CHECK_FALSE(is_locked(documents, "session"));
}

TEST_CASE("M2 an exception in the middle frees the lock") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  CHECK_FALSE(wait(steps(documents, true)).has_value());
  CHECK_FALSE(is_locked(documents, "session"));
  CHECK(wait(steps(documents, false)).value() == 1);
}

TEST_CASE(
    "M2 while the lock is held, others of this process wait or are refused with this process as the holder") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  const DocumentStore other = open(scratch);
  auto lock = wait(documents.lock("session")).value();
  const auto refused = wait(other.lock("session", kShort));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == Errc::locked);
  CHECK(refused.error().key() == "session");
  CHECK(refused.error().detail().find("50 ms") != std::string::npos);
  REQUIRE(refused.error().holder().has_value());
  CHECK(refused.error().holder()->pid == ::getpid());

  // A write of somebody else waits for it.
  asio::io_context context;
  auto saved = asio::co_spawn(context, other.save_json("session", "state", "other"), asio::use_future);
  std::thread thread([&context] { context.run(); });
  for (int i = 0; i < 20; ++i) {
    wait(lock.save_json("state", i)).value();
    const auto stored = wait(lock.read_json("state")).value();
    CHECK(stored.value == i);
  }
  // Another category is not concerned, the nested one neither.
  CHECK(wait(other.save_json("session/nested", "a", 1)).has_value());
  lock.unlock();
  CHECK(saved.get().has_value());
  thread.join();
  CHECK(wait(documents.read_json("session", "state")).value().value == "other");
}

TEST_CASE("M2 a lock that was given back, or moved from, writes nothing") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  auto first = wait(documents.lock("session")).value();
  DocumentLock second = std::move(first);
  const auto closed = [](auto result) { return !result && result.error().code() == Errc::closed; };
  CHECK(closed(wait(first.save_json("a", 1))));
  CHECK(closed(wait(first.load_json("a"))));
  CHECK(closed(wait(first.prune())));
  CHECK(is_locked(documents, "session"));
  CHECK(wait(second.save_json("a", 1)).has_value());
  CHECK(wait(second.remove("a")).value());
  CHECK(wait(second.exists("a")).value() == false);
  CHECK(wait(second.list()).value().empty());
  CHECK(wait(second.prune()).value().removed.empty());
  second.unlock();
  second.unlock();
  CHECK(closed(wait(second.save_json("a", 1))));
  CHECK_FALSE(is_locked(documents, "session"));
}

TEST_CASE("M2 operations called on one lock at once run one after another") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  auto lock = wait(documents.lock("session")).value();
  asio::io_context context;
  int failed = 0;
  for (int i = 0; i < 100; ++i) {
    asio::co_spawn(context, lock.update_json("d", DocumentEdit::set("k" + std::to_string(i), i)),
                   [&failed](std::exception_ptr thrown, Result<JsonDocument> result) {
                     failed += thrown || !result ? 1 : 0;
                   });
  }
  context.run();
  CHECK(failed == 0);
  CHECK(wait(lock.read_json("d")).value().value.as_object().size() == 100);
}

TEST_CASE("M2 a cancelled wait for the lock is given up, and takes nothing") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  auto held = std::make_optional(wait(documents.lock("session")).value());
  asio::io_context context;
  asio::cancellation_signal signal;
  std::optional<Errc> code;
  asio::co_spawn(
      context, documents.lock("session"),
      asio::bind_cancellation_slot(signal.slot(), [&code](std::exception_ptr, Result<DocumentLock> result) {
        code = result ? Errc::io : result.error().code();
      }));
  asio::steady_timer timer(context, 50ms);
  timer.async_wait(
      [&signal](const boost::system::error_code&) { signal.emit(asio::cancellation_type::terminal); });
  context.run();
  CHECK(code == Errc::cancelled);
  held.reset();
  CHECK_FALSE(is_locked(documents, "session"));
}
