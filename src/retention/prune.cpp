#include <sessile/async.hpp>
#include <sessile/retention.hpp>

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <iterator>

namespace sessile {

std::string_view name(PruneReason reason) noexcept {
  return reason == PruneReason::expired ? "expired" : "over_count";
}

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

/// What a prune has to know of a session: kept small, as a store may hold many.
class Candidate {
 public:
  Candidate() noexcept {}
  PruneItem item;
  bool pinned = false;
};

class Inventory {
 public:
  Inventory() noexcept {}
  std::vector<Candidate> sessions;
  std::vector<Error> unreadable;
};

/// What is left of the time for the whole prune; 0: no bound. Errors: timed_out.
Result<std::chrono::milliseconds> time_left(std::chrono::milliseconds timeout, SteadyTime started) {
  if (timeout.count() <= 0) return std::chrono::milliseconds(0);
  const auto passed = std::chrono::steady_clock::now() - started;
  // In milliseconds, of which a timeout may have more than there are nanoseconds.
  const auto left = timeout - std::chrono::floor<std::chrono::milliseconds>(passed);
  if (left.count() <= 0) return Error(Errc::timed_out).with_operation("prune");
  return left;
}

/// Order::id yields every session that existed throughout, also one that is written meanwhile.
Async<Inventory> take_inventory(StorePtr store, std::chrono::milliseconds timeout, SteadyTime started) {
  Inventory inventory;
  ListQuery query;
  query.order(Order::id).limit(kMaxPageSize);
  for (;;) {
    auto left = time_left(timeout, started);
    if (!left) co_return left.error();
    query.timeout(*left);
    auto page = co_await store->list(query);
    if (!page) co_return page.error();
    std::move(page->unreadable.begin(), page->unreadable.end(), std::back_inserter(inventory.unreadable));
    for (SessionSummary& summary : page->items) {
      Candidate candidate;
      candidate.item.id = std::move(summary.id);
      candidate.item.updated_at = std::move(summary.updated_at);
      candidate.item.revision = summary.revision;
      candidate.item.stored_bytes = summary.stored_bytes;
      candidate.pinned = summary.pinned;
      inventory.sessions.push_back(std::move(candidate));
    }
    if (page->next.empty()) co_return inventory;
    query.cursor(std::move(page->next));
  }
}

/// Decides: what goes, and why, the oldest first.
std::vector<PruneItem> choose(std::vector<Candidate> sessions, const RetentionPolicy& policy, TimePoint now) {
  const bool keep_pinned = policy.pinned() == RetentionPolicy::Pinned::keep;
  std::erase_if(sessions, [keep_pinned](const Candidate& session) { return keep_pinned && session.pinned; });
  std::sort(sessions.begin(), sessions.end(), [](const Candidate& a, const Candidate& b) {
    if (a.item.updated_at != b.item.updated_at) return a.item.updated_at > b.item.updated_at;
    return a.item.id < b.item.id;
  });
  std::vector<PruneItem> going;
  std::uint64_t staying = 0;
  for (Candidate& session : sessions) {
    const auto age = now - session.item.updated_at.time();
    const bool may_go = session.item.updated_at.is_set() && age >= policy.minimum_age();
    const bool expired = policy.ttl().count() > 0 && age >= policy.ttl();
    const bool over_count = policy.max_sessions() > 0 && staying >= policy.max_sessions();
    if (may_go && (expired || over_count)) {
      session.item.reason = expired ? PruneReason::expired : PruneReason::over_count;
      going.push_back(std::move(session.item));
    } else {
      ++staying;
    }
  }
  std::reverse(going.begin(), going.end());
  return going;
}

bool ends_the_prune(Errc code) noexcept {
  return code == Errc::cancelled || code == Errc::closed || code == Errc::timed_out;
}

/// Files the outcome of one removal. `report.kept` has counted the session as kept before.
void record(PruneReport& report, const PruneItem& item, const Result<void>& outcome) {
  if (outcome) {
    --report.kept;
    report.removed.push_back(item);
    return;
  }
  const Error error = outcome.error();
  if (error.code() == Errc::not_found) {
    --report.kept;
  } else if (error.code() == Errc::conflict) {
    report.kept_as_written.push_back(item.id);
  } else if (ends_the_prune(error.code())) {
    report.stopped = error;
  } else {
    --report.kept;
    report.failed.push_back(error);
  }
}

}  // namespace

Async<PruneReport> prune(StorePtr store, RetentionPolicy policy, PruneOptions options) {
  if (policy.ttl().count() < 0 || policy.minimum_age().count() < 0) {
    co_return Error(Errc::invalid_argument, "a retention policy has no negative times")
        .with_operation("prune");
  }
  const SteadyTime started = std::chrono::steady_clock::now();
  auto inventory = co_await take_inventory(store, options.timeout(), started);
  if (!inventory) co_return inventory.error();

  PruneReport report;
  report.unreadable = std::move(inventory->unreadable);
  report.kept = inventory->sessions.size();
  const TimePoint now = store->options().clock()->now();
  std::vector<PruneItem> going = choose(std::move(inventory->sessions), policy, now);
  if (options.is_dry_run()) {
    report.kept -= going.size();
    report.would_remove = std::move(going);
    co_return report;
  }
  std::uint64_t done = 0;
  for (const PruneItem& item : going) {
    // Asked for here, since a co_await on a store in a cancelled coroutine throws, and the report would be
    // lost.
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    Result<void> outcome;
    auto left = time_left(options.timeout(), started);
    if (state.cancelled() != asio::cancellation_type::none) {
      outcome = Error(Errc::cancelled).with_operation("prune");
    } else if (!left) {
      outcome = left.error();
    } else {
      RemoveOptions remove;
      remove.if_revision(item.revision).timeout(*left);
      outcome = co_await store->remove(item.id, remove);
    }
    record(report, item, outcome);
    if (report.stopped) break;
    if (options.progress()) options.progress()(++done, going.size());
  }
  co_return report;
}

}  // namespace sessile
