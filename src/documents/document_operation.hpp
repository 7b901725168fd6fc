// The course of one operation on documents: names, cancellation, the lock, errors. Written once for all.
#pragma once

#include "documents/core.hpp"
#include "documents/lock.hpp"
#include "operation.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sessile::detail {

/// What is known of an operation before it runs.
class DocumentCall {
 public:
  DocumentCall(std::string_view operation_, std::shared_ptr<DocumentCore> core_, std::string category_)
      : operation(operation_), core(std::move(core_)), category(std::move(category_)) {}
  std::string_view operation;  // a literal
  std::shared_ptr<DocumentCore> core;
  std::string category;
  std::shared_ptr<DocumentHold> hold;  // null: none is held
  std::optional<std::string> name;     // empty: about the category
  std::chrono::milliseconds timeout{0};

  /// Errors: invalid_argument.
  Result<void> check_names() const;
  /// Fills in what is left out of `error`.
  Error annotated(Error error) const;
};

/// Runs `body`, a coroutine not yet started, with its own cancellation state and within the call's timeout.
template <class T>
Async<T> run_document_operation(DocumentCall call, Async<T> body) {
  Result<T> result;
  if (const auto names = call.check_names(); !names) {
    result = names.error();
  } else {
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    try {
      if (state.cancelled() != asio::cancellation_type::none) {
        result = Error(Errc::cancelled);
      } else {
        result = co_await run_isolated<T>(state, call.timeout, std::move(body));
      }
    } catch (...) {
      result = error_from(std::current_exception());
    }
  }
  if (!result) result = call.annotated(result.error());
  co_return result;
}

/// `work(Directory*)` on the pool; null: the category is not there.
template <class T, class Work>
Async<T> read_body(DocumentCall call, Work work) {
  auto job = [&call, &work](storage::CommitGate&) -> Result<T> {
    if (call.hold) {
      if (!call.hold->directory()) return Error(Errc::closed, "the lock was given back");
      return work(call.hold->directory().get());
    }
    const auto directory = call.core->find(call.category);
    if (!directory) return directory.error();
    return work(directory->get());
  };
  co_return co_await storage::run_on(call.core->executor, std::move(job));
}

/// `work(Directory&, CommitGate&)` on the pool, under the lock of the category, whose directory is
/// `directory`.
template <class T, class Work>
Async<T> locked_body(const DocumentCall& call, std::shared_ptr<storage::Directory> directory, Work work) {
  if (call.hold) {
    auto held = [&call, &directory, &work](storage::CommitGate& gate) -> Result<T> {
      const std::lock_guard turn(call.hold->turn);
      return work(*directory, gate);
    };
    co_return co_await storage::run_on(call.core->executor, std::move(held));
  }
  storage::AdvisoryLock lock(directory, kLockFile, call.core->options.lock(), call.core->executor);
  auto job = [&call, &directory, &work](storage::CommitGate& gate) -> Result<T> {
    note_holder(*directory);
    call.core->sweep_once(call.category, *directory);
    return work(*directory, gate);
  };
  Result<T> result = co_await lock.template run_locked<T>(lock.deadline(call.timeout), std::move(job));
  if (result || result.error().code() != Errc::locked) co_return result;
  auto longest = call.core->options.lock().timeout();
  if (call.timeout.count() > 0) longest = std::min(longest, call.timeout);
  const Error refused = result.error();
  auto describe = [&call, &directory, refused, longest](storage::CommitGate&) {
    return describe_locked(refused, call.category, longest, *directory);
  };
  co_return co_await storage::run_on(call.core->executor, std::move(describe));
}

/// A write. `Work` has
/// - `Result<void> prepare(const DocumentCore&)`, called first, before any file is touched;
/// - `bool creates() const`: the category is made when it is missing;
/// - `Result<T> without_category()`, called when it is missing and not made;
/// - `Result<T> commit(Directory&, CommitGate&)`, called under the lock.
/// All are called on the pool.
template <class T, class Work>
Async<T> write_body(DocumentCall call, Work work) {
  using Place = std::shared_ptr<storage::Directory>;
  auto prepare = [&call, &work](storage::CommitGate&) -> Result<Place> {
    if (const auto ready = work.prepare(*call.core); !ready) return ready.error();
    if (!call.hold) return work.creates() ? call.core->make(call.category) : call.core->find(call.category);
    if (call.hold->directory()) return call.hold->directory();
    return Error(Errc::closed, "the lock was given back");
  };
  auto directory = co_await storage::run_on(call.core->executor, std::move(prepare));
  if (!directory) co_return directory.error();
  if (!*directory) co_return work.without_category();
  auto commit = [&work](storage::Directory& place, storage::CommitGate& gate) -> Result<T> {
    return work.commit(place, gate);
  };
  co_return co_await locked_body<T>(call, *std::move(directory), std::move(commit));
}

}  // namespace sessile::detail
