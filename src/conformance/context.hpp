// What a behaviour works with: the harness, ids of its own, an event loop, and a list of what to clean up.
#pragma once

#include "conformance/checks.hpp"
#include "conformance/subject.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace sessile::conformance {

/// A clock that stands still unless it is set. Thread-safe.
class ManualClock : public Clock {
 public:
  ManualClock() : micros_(1'900'000'000'000'000) {}
  TimePoint now() const noexcept override { return TimePoint(std::chrono::microseconds(micros_.load())); }
  void advance(std::chrono::microseconds step) noexcept { micros_ += step.count(); }

 private:
  std::atomic<std::int64_t> micros_;
};

/// One run of one behaviour. Used by the thread of the behaviour alone; the coroutines it starts must not
/// touch it.
///
/// Every Subject lives until the end of the context, unless it is dropped.
class Context {
 public:
  Context(Harness harness, SubjectFactory subjects, std::chrono::seconds deadline);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  // The hooks of the harness; one that is missing ends the behaviour as skipped.
  Subject& open(OpenOptions options = OpenOptions());
  Subject& reopen(OpenOptions options = OpenOptions());
  void corrupt(const SessionId& id);
  void need_second_process() const;
  Result<std::string> second_process(std::string command, std::vector<std::string> arguments) const;

  /// Forgets a handle; no reference to it may be used afterwards.
  void drop(Subject& subject);

  /// Ends the behaviour as skipped unless handles opened separately see the same sessions.
  void need_shared_place(Subject& store) const;
  void need_idempotent_append(Subject& store) const;

  /// A fresh id, the same for the same suffix, removed in the end.
  SessionId id(std::string_view suffix = "");
  /// That very id, removed in the end.
  SessionId exactly(std::string text);
  AgentId agent(std::string_view suffix = "") const;
  /// A session of id(suffix) and agent(), with one message.
  Session session(std::string_view suffix = "");
  /// A session as session(), saved.
  Session saved(Subject& store, std::string_view suffix = "");

  /// Runs an operation to its end on io(). What a coroutine throws is thrown here.
  template <class T>
  Result<T> run(Async<T> operation) {
    auto outcome = std::make_shared<std::optional<Result<T>>>();
    run(keep(std::move(operation), outcome));
    return std::move(**outcome);
  }
  void run(asio::awaitable<void> work);
  template <class T>
  T get(std::string_view what, Async<T> operation) {
    return need(what, run(std::move(operation)));
  }
  template <class T>
  Error refuse(std::string_view what, Errc code, Async<T> operation) {
    return refused(what, code, run(std::move(operation)));
  }

  /// Runs all of these at once on a pool of four threads, to their end; throws what the first of them threw.
  void together(std::vector<asio::awaitable<void>> work);

  // What behaviours look at most.
  Session load(Subject& store, const SessionId& id);
  void absent(Subject& store, const SessionId& id);
  /// The ids of all pages of a listing, in order.
  std::vector<std::string> walk(Subject& store, ListQuery query);

  /// Shared, since an operation that hangs is left behind.
  template <class T>
  static asio::awaitable<void> keep(Async<T> operation, std::shared_ptr<std::optional<Result<T>>> outcome) {
    outcome->emplace(co_await std::move(operation));
  }

  asio::io_context& io() noexcept { return *io_; }
  std::chrono::seconds deadline() const noexcept { return deadline_; }
  /// Runs io() until `done`; a hang is a failure.
  void run_until(const std::function<bool()>& done);

  /// Gives up the loop and the handles, which another thread may still be using: they are never destroyed.
  void leave_behind();

  /// Removes what the behaviour made. Errors are of no interest: what is left was the behaviour's to find.
  void clean_up() noexcept;

 private:
  Subject& keep(std::string_view hook, Result<StorePtr> opened);

  const Harness harness_;
  const SubjectFactory subjects_;
  const std::chrono::seconds deadline_;
  const std::string prefix_;
  std::shared_ptr<asio::io_context> io_;
  std::vector<std::unique_ptr<Subject>> handles_;
  std::vector<SessionId> made_;
  std::vector<SessionId> corrupted_;
  bool left_behind_ = false;
};

/// One row of the table of behaviours.
class Entry {
 public:
  Entry(std::string_view slug_, std::string_view name_, void (*function_)(Context&))
      : slug(slug_), name(name_), function(function_) {}
  std::string_view slug;
  std::string_view name;
  void (*function)(Context&);
};

}  // namespace sessile::conformance
