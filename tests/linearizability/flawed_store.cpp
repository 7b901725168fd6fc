#include "linearizability/flawed_store.hpp"

#include <sessile/backend.hpp>

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <map>
#include <mutex>

namespace sessile::linearizability {
namespace {

class FlawedStore final : public SessionStore {
 public:
  FlawedStore(std::shared_ptr<SessionStore> inner, Flaw flaw)
      : SessionStore(OpenOptions(), inner->capabilities()), inner_(std::move(inner)), flaw_(flaw) {}

 private:
  bool is(Flaw flaw) const noexcept { return flaw_ == flaw; }
  /// True every third time.
  bool now() noexcept { return calls_.fetch_add(1) % 3 == 0; }
  static asio::awaitable<void> dally() {
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::microseconds(200));
    co_await timer.async_wait(asio::use_awaitable);
  }

  Async<Written> do_save(SessionPtr session, SaveOptions options) override {
    if (is(Flaw::ignores_revision) && options.if_revision().revision()) {
      options.if_revision(RevisionCheck::any());
    }
    if (is(Flaw::creates_twice) && options.if_revision().is_absent()) {
      const auto found = co_await inner_->load(session->id);
      if (!found) {
        co_await dally();
        options.if_revision(RevisionCheck::any());
      }
    }
    const SessionId id = session->id;
    auto written = co_await inner_->save(std::move(session), std::move(options));
    if (is(Flaw::reuses_revisions) && written) {
      const std::scoped_lock lock(mutex_);
      const auto [first, fresh] = first_.try_emplace(id, written->revision);
      if (removed_.erase(id) != 0) shift_[id] = written->revision - first->second;
      written->revision -= shift_[id];
    }
    co_return written;
  }

  Async<SessionPtr> do_load(SessionId id, LoadOptions options) override {
    const auto loaded = co_await inner_->load(id, std::move(options));
    if (!loaded) co_return loaded.error();
    const std::scoped_lock lock(mutex_);
    SessionPtr& known = loaded_[id];
    if (known != nullptr && now()) {
      if (is(Flaw::reads_stale)) co_return known;
      if (is(Flaw::tears)) {
        auto torn = std::make_shared<Session>(**loaded);
        torn->messages.resize(std::min(torn->messages.size(), known->messages.size()));
        co_return torn;
      }
    }
    known = *loaded;
    co_return known;
  }

  Async<SessionPtr> do_update(SessionId id, Mutation mutation, UpdateOptions options) override {
    if (!is(Flaw::resurrects) || !options.if_revision().is_any()) {
      co_return co_await inner_->update(std::move(id), std::move(mutation), std::move(options));
    }
    auto found = co_await inner_->load(id);
    if (!found) co_return found.error();
    co_await dally();
    auto updated = co_await inner_->update(id, mutation);
    if (updated || updated.error().code() != Errc::not_found) co_return updated;
    auto changed = std::make_shared<Session>(**found);
    if (auto done = mutation(*changed); !done) co_return done.error();
    auto written = co_await inner_->save(changed);
    if (!written) co_return written.error();
    changed->revision = written->revision;
    co_return changed;
  }

  Async<Written> do_append(SessionId id, std::vector<Message> messages, AppendOptions options) override {
    if (is(Flaw::forgets_keys)) options.idempotency_key("");
    if (is(Flaw::loses_updates) && options.idempotency_key().empty() && options.if_revision().is_any()) {
      const auto found = co_await inner_->load(id);
      if (!found) co_return found.error();
      auto next = std::make_shared<Session>(**found);
      next->messages.insert(next->messages.end(), messages.begin(), messages.end());
      co_await dally();
      co_return co_await inner_->save(std::move(next));
    }
    auto written = co_await inner_->append(std::move(id), std::move(messages), std::move(options));
    if (is(Flaw::times_out_too_late) && written && now()) co_return Error(Errc::timed_out);
    co_return written;
  }

  Async<void> do_remove(SessionId id, RemoveOptions options) override {
    auto removed = co_await inner_->remove(id, std::move(options));
    const std::scoped_lock lock(mutex_);
    if (removed) removed_[id] = true;
    co_return removed;
  }

  Async<Page<SessionSummary>> do_list(ListQuery query) override {
    co_return co_await inner_->list(std::move(query));
  }

  const std::shared_ptr<SessionStore> inner_;
  const Flaw flaw_;
  std::atomic<unsigned> calls_{0};
  std::mutex mutex_;
  std::map<SessionId, SessionPtr> loaded_;  // protected by mutex_, as what follows
  std::map<SessionId, Revision> first_, shift_;
  std::map<SessionId, bool> removed_;
};

}  // namespace

std::shared_ptr<SessionStore> make_flawed_store(std::shared_ptr<SessionStore> inner, Flaw flaw) {
  return std::make_shared<FlawedStore>(std::move(inner), flaw);
}

}  // namespace sessile::linearizability
