// What a backend gets for free: correct on do_save, do_load, do_list and do_remove alone.
#include <sessile/backend.hpp>
#include <sessile/store.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <random>

namespace sessile {

namespace {

/// Gives the writer that won time to finish: randomly longer after each loss, so that losers don't meet
/// again.
asio::awaitable<void> back_off(int attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  const int ceiling_us = 50 << std::min(attempt, 9);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::microseconds(std::uniform_int_distribution<int>(0, ceiling_us)(random)));
  co_await timer.async_wait(asio::use_awaitable);
}

Written written_of(const Session& session) {
  Written written;
  written.revision = session.revision;
  written.created_at = session.created_at;
  written.updated_at = session.updated_at;
  return written;
}

/// Adds `messages` to the end.
class AppendMessages {
 public:
  explicit AppendMessages(std::vector<Message> messages)
      : messages_(std::make_shared<const std::vector<Message>>(std::move(messages))) {}
  void operator()(Session& session) const {
    session.messages.insert(session.messages.end(), messages_->begin(), messages_->end());
  }

 private:
  std::shared_ptr<const std::vector<Message>> messages_;
};

}  // namespace

Async<AgentSessions> SessionStore::do_list_for_agent(AgentId agent, ListQuery query) {
  query.agent(std::move(agent));
  auto listed = co_await do_list(query);
  if (!listed) co_return listed.error();
  AgentSessions page;
  page.unreadable = std::move(listed->unreadable);
  page.next = std::move(listed->next);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < listed->items.size(); ++i) {
    const SessionSummary& summary = listed->items[i];
    auto loaded = co_await do_load(summary.id, LoadOptions());
    if (loaded) {
      // Moved to another agent between the two steps: it is not this one's any more.
      if ((*loaded)->agent_id != summary.agent_id) continue;
      bytes += std::max((*loaded)->stored_bytes, summary.stored_bytes);
      page.items.push_back(std::move(*loaded));
      if (bytes >= query.byte_budget() && i + 1 < listed->items.size()) {
        page.next = encode_cursor(query, summary);
        break;
      }
    } else if (loaded.error().code() != Errc::not_found) {
      page.unreadable.push_back(loaded.error().with_key(summary.id.str()));
    }
  }
  co_return page;
}

Async<SessionPtr> SessionStore::do_update(SessionId id, Mutation mutation, UpdateOptions options) {
  for (int attempt = 0;; ++attempt) {
    auto current = co_await do_load(id, LoadOptions());
    if (!current) co_return current.error();
    if (auto expected = check_revision(options.if_revision(), (*current)->revision); !expected) {
      co_return expected.error();
    }
    auto changed = apply_mutation(**current, mutation, capabilities().limits);
    if (!changed) co_return changed.error();
    if (*changed == nullptr) {
      // Perhaps written with less durability than this promises.
      if (*options.durability() == Durability::power) {
        if (auto kept = co_await do_flush(); !kept) co_return kept.error();
      }
      co_return *current;
    }
    SaveOptions save;
    std::shared_ptr<Session> next = std::move(*changed);
    save.if_revision((*current)->revision)
        .durability(*options.durability())
        .measured_bytes(next->stored_bytes);
    auto written = co_await do_save(next, save);
    // A copy: the implementation may have kept what it was given.
    if (written) co_return std::make_shared<const Session>(stamped(*next, *written));
    const Error error = written.error();
    if (error.code() != Errc::conflict) co_return error;
    if (!error.actual()) co_return Error(Errc::not_found);
    co_await back_off(attempt);
  }
}

Async<Written> SessionStore::do_append(SessionId id, std::vector<Message> messages, AppendOptions options) {
  if (!options.idempotency_key().empty())
    co_return Error(Errc::unsupported, "idempotency keys are not remembered");
  UpdateOptions update;
  update.if_revision(options.if_revision()).durability(*options.durability());
  auto updated = co_await do_update(std::move(id), Mutation(AppendMessages(std::move(messages))), update);
  if (!updated) co_return updated.error();
  co_return written_of(**updated);
}

Async<void> SessionStore::do_flush() {
  co_return success();
}
Async<void> SessionStore::do_close() {
  co_return success();
}

}  // namespace sessile
