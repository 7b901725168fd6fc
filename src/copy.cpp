#include "json/sha256.hpp"
#include "operation.hpp"
#include "storage/io_pool.hpp"

#include <sessile/copy.hpp>
#include <sessile/json.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <unordered_set>

namespace sessile {
namespace {

constexpr std::uint64_t kBatchBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kInlineBytes = std::uint64_t{64} << 10;
constexpr int kAttempts = 3;

class Job {
 public:
  Job(StorePtr from_, StorePtr to_, CopyOptions options_)
      : from(std::move(from_)), to(std::move(to_)), options(std::move(options_)) {}
  const StorePtr from;
  const StorePtr to;
  const CopyOptions options;
};
using JobPtr = std::shared_ptr<const Job>;

/// What became of one session.
class Settled {
 public:
  enum class How { copied, recopied, unchanged, gone, failed };
  Settled() {}
  Settled(How how_) : how(how_) {}
  explicit Settled(Error error_) : how(How::failed), error(std::move(error_)) {}
  How how = How::gone;
  Error error;
};

/// The hashes are compared as if the source had the times that the target's store had to invent: a document
/// of another program may have none.
bool have_same_content(const Session& source, const Session& target) {
  if (!source.created_at.empty() && !source.updated_at.empty())
    return content_hash(source) == content_hash(target);
  Session dated = source;
  if (dated.created_at.empty()) dated.created_at = target.created_at;
  if (dated.updated_at.empty()) dated.updated_at = target.updated_at;
  return content_hash(dated) == content_hash(target);
}

Async<bool> compare(SessionPtr source, SessionPtr target) {
  if (std::max(source->stored_bytes, target->stored_bytes) <= kInlineBytes)
    co_return have_same_content(*source, *target);
  auto work = [source, target](storage::CommitGate&) { return have_same_content(*source, *target); };
  co_return co_await storage::run_on(storage::io_executor(), std::move(work));
}

/// Failures to read the target that every further session would meet too.
bool ends_all_reading(Errc code) noexcept {
  return code == Errc::unavailable || code == Errc::closed || code == Errc::cancelled;
}

/// The same for writing. `unsupported`: a target that is read-only; of a read it is said of one session, of a
/// newer version.
bool ends_all_writing(Errc code) noexcept {
  return ends_all_reading(code) || code == Errc::unsupported;
}

Error difference(const SessionId& id, std::string_view what) {
  return Error(Errc::conflict, what).with_operation("copy").with_key(id.str());
}

/// What is known of a session after the writes of it that were tried.
class Progress {
 public:
  Progress() noexcept {}
  bool inserts = false;    ///< the first of them found none at the target
  bool uncertain = false;  ///< the last one may be there, and may be lost with the power
};

/// Writes `source`, where `present`, or nothing, is at the target. Empty: to be looked at again.
Async<std::optional<Settled>> write(JobPtr job, SessionPtr source, SessionPtr present, Progress* progress) {
  SaveOptions options;
  options.times(Times::preserve).timeout(job->options.timeout());
  if (present)
    options.if_revision(present->revision);
  else
    options.if_absent();
  auto written = co_await job->to->save(source, options);
  if (!written) {
    const Error refusal = written.error();
    // Either says that what we compared with is not, or may not be, what is stored.
    if (refusal.code() == Errc::conflict) co_return std::nullopt;
    if (refusal.code() == Errc::indeterminate && !progress->uncertain) {
      progress->uncertain = true;
      co_return std::nullopt;
    }
    if (ends_all_writing(refusal.code())) co_return refusal;
    co_return Settled(refusal);
  }
  progress->uncertain = false;
  auto back = co_await job->to->load(source->id, LoadOptions().timeout(job->options.timeout()));
  if (!back) {
    if (ends_all_reading(back.error().code())) co_return back.error();
    co_return std::nullopt;
  }
  auto same = co_await compare(source, *back);
  if (!same) co_return same.error();
  if (!*same) co_return std::nullopt;
  co_return Settled(progress->inserts ? Settled::How::copied : Settled::How::recopied);
}

/// Brings one session to the target, or, with verify_only, compares it. An error ends the whole copy.
Async<Settled> settle(JobPtr job, SessionId id) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  const LoadOptions whole = LoadOptions().timeout(job->options.timeout());
  Progress progress;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto source = co_await job->from->load(id, whole);
    if (!source) {
      const Error error = source.error();
      if (error.code() == Errc::not_found) co_return Settled::How::gone;  // removed since it was listed
      if (error.code() == Errc::closed || error.code() == Errc::cancelled) co_return error;
      co_return Settled(error);
    }
    auto present = co_await job->to->load(id, whole);
    if (present) {
      auto same = co_await compare(*source, *present);
      if (!same) co_return same.error();
      if (*same && !progress.uncertain) co_return Settled::How::unchanged;
      if (job->options.is_verify_only()) co_return Settled(difference(id, "the target's content differs"));
      // The same, and perhaps not durable: written once more.
      if (!*same && (*source)->updated_at <= (*present)->updated_at) {
        co_return Settled(
            difference(id, "the target's content differs, and the source's is not newer: left as it is"));
      }
    } else if (present.error().code() != Errc::not_found) {
      const Error error = present.error();
      if (ends_all_reading(error.code())) co_return error;
      co_return Settled(error);
    } else if (job->options.is_verify_only()) {
      co_return Settled(present.error().with_operation("copy").with_detail("the target lacks this session"));
    }
    const SessionPtr old = present ? *present : nullptr;
    if (attempt == 0) progress.inserts = old == nullptr;
    auto settled = co_await write(job, *source, old, &progress);
    if (!settled) co_return settled.error();
    if (*settled) co_return **settled;
  }
  co_return Settled(difference(id, "the target does not read back what was written to it"));
}

class Item {
 public:
  Item() {}
  SessionId id;
  std::uint64_t bytes = 0;
};

/// Settles the items first … last-1 at once.
Async<std::vector<Settled>> settle_batch(JobPtr job, const std::vector<Item>* items, std::size_t first,
                                         std::size_t last) {
  const asio::any_io_executor strand = co_await asio::this_coro::executor;
  const auto spawn = [&](std::size_t i) {
    return asio::co_spawn(strand, settle(job, (*items)[i].id), asio::deferred);
  };
  std::vector<decltype(spawn(0))> group;
  for (std::size_t i = first; i < last; ++i)
    group.push_back(spawn(i));
  auto [order, thrown, results] = co_await asio::experimental::make_parallel_group(std::move(group))
                                      .async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  std::vector<Settled> settled;
  std::optional<Error> failure;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (thrown[i]) {
      failure = detail::error_from(thrown[i]);
    } else if (!results[i]) {
      failure = results[i].error();
    } else {
      settled.push_back(std::move(*results[i]));
    }
  }
  if (failure) co_return *failure;
  co_return settled;
}

/// The end of the batch that begins at `first`: bounded in number and, but for a single session, in bytes.
std::size_t batch_end(const std::vector<Item>& items, std::size_t first, std::size_t most) {
  std::uint64_t bytes = items[first].bytes;
  std::size_t end = first + 1;
  while (end < items.size() && end - first < most && bytes + items[end].bytes <= kBatchBytes)
    bytes += items[end++].bytes;
  return end;
}

/// All summaries of a store, in the order of their ids. Used by one coroutine, which outlives its coroutines.
class Walk {
 public:
  Walk(StorePtr store, std::chrono::milliseconds timeout) : store_(std::move(store)) {
    query_.order(Order::id).limit(kMaxPageSize).timeout(timeout);
  }
  /// The next summary, valid until the next call; null after the last.
  static Async<const SessionSummary*> next(Walk* self) {
    while (self->at_ == self->page_.items.size()) {
      if (self->ended_) co_return nullptr;
      auto page = co_await self->store_->list(self->query_);
      if (!page) co_return page.error();
      std::move(page->unreadable.begin(), page->unreadable.end(), std::back_inserter(self->unreadable_));
      self->page_ = std::move(*page);
      self->at_ = 0;
      self->ended_ = self->page_.next.empty();
      self->query_.cursor(self->page_.next);
    }
    co_return &self->page_.items[self->at_++];
  }
  const std::vector<Error>& unreadable() const noexcept { return unreadable_; }

 private:
  const StorePtr store_;
  ListQuery query_;
  Page<SessionSummary> page_;
  std::vector<Error> unreadable_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

class Copy {
 public:
  explicit Copy(JobPtr job) : job_(std::move(job)) {}

  static Async<CopyReport> run(std::shared_ptr<Copy> self) {
    auto listed = co_await list_source(self.get());
    if (!listed) co_return listed.error();
    auto settled = co_await settle_all(self.get());
    if (!settled) co_return settled.error();
    auto counted = co_await compare_listings(self.get());
    if (!counted) co_return counted.error();
    co_return std::move(self->report_);
  }

 private:
  static Async<void> list_source(Copy* self) {
    Walk source(self->job_->from, self->job_->options.timeout());
    for (;;) {
      auto summary = co_await Walk::next(&source);
      if (!summary) co_return summary.error();
      if (*summary == nullptr) break;
      Item item;
      item.id = (*summary)->id;
      item.bytes = (*summary)->stored_bytes;
      self->items_.push_back(std::move(item));
    }
    self->report_.failed = source.unreadable();
    co_return success();
  }

  static Async<void> settle_all(Copy* self) {
    const CopyOptions& options = self->job_->options;
    for (std::size_t first = 0; first < self->items_.size();) {
      const std::size_t end = batch_end(self->items_, first, options.concurrency());
      auto settled = co_await settle_batch(self->job_, &self->items_, first, end);
      if (!settled) co_return settled.error();
      for (std::size_t i = first; i < end; ++i) {
        self->note((*settled)[i - first], self->items_[i].id);
        if (options.progress()) options.progress()(i + 1, self->items_.size());
      }
      first = end;
    }
    co_return success();
  }

  /// Both listings side by side: what one lacks, or dates otherwise, is looked at once more. It may have been
  /// written since, or be missing in the target's index.
  static Async<void> compare_listings(Copy* self) {
    Walk source(self->job_->from, self->job_->options.timeout());
    Walk target(self->job_->to, self->job_->options.timeout());
    const SessionSummary* there = nullptr;
    bool target_ended = false;
    for (;;) {
      auto here = co_await Walk::next(&source);
      if (!here) co_return here.error();
      const SessionSummary* summary = *here;
      while (!target_ended &&
             (there == nullptr || summary == nullptr || there->id.str() < summary->id.str())) {
        if (there != nullptr) ++self->report_.extra;
        auto next = co_await Walk::next(&target);
        if (!next) co_return next.error();
        there = *next;
        target_ended = there == nullptr;
      }
      if (summary == nullptr) co_return success();
      ++self->report_.sessions;
      if (self->failed_.contains(summary->id.str())) {
        if (there != nullptr && there->id == summary->id) there = nullptr;
        continue;
      }
      const bool listed = there != nullptr && there->id == summary->id;
      const bool same = listed && there->updated_at == summary->updated_at;
      if (listed) there = nullptr;
      if (same) {
        ++self->report_.verified;
        continue;
      }
      auto again = co_await settle(self->job_, summary->id);
      if (!again) co_return again.error();
      self->count_late(*again, summary->id, listed);
    }
  }

  void count_late(const Settled& settled, const SessionId& id, bool listed) {
    if (settled.how == Settled::How::unchanged && !listed) {
      fail(difference(id, "the target has this session, but not in its listing"), id);
    } else if (settled.how == Settled::How::unchanged) {
      ++report_.verified;
    } else {
      note(settled, id);
      if (settled.how == Settled::How::gone) --report_.sessions;
      if (settled.how == Settled::How::copied || settled.how == Settled::How::recopied) ++report_.verified;
    }
  }

  void note(const Settled& settled, const SessionId& id) {
    switch (settled.how) {
      case Settled::How::copied:
        ++report_.copied;
        break;
      case Settled::How::recopied:
        ++report_.recopied;
        break;
      case Settled::How::unchanged:
        ++report_.unchanged;
        break;
      case Settled::How::gone:
        break;
      case Settled::How::failed:
        fail(settled.error, id);
        break;
    }
  }

  void fail(Error error, const SessionId& id) {
    if (error.key().empty()) error.with_key(id.str());
    report_.failed.push_back(std::move(error));
    failed_.insert(id.str());
  }

  const JobPtr job_;
  std::vector<Item> items_;
  std::unordered_set<std::string> failed_;
  CopyReport report_;
};

}  // namespace

std::string content_hash(const Session& session) {
  Session counted = session;
  counted.revision = 0;
  return detail::hex(detail::sha256(encode_session(counted)));
}

Async<CopyReport> copy(StorePtr from, StorePtr to, CopyOptions options) {
  if (options.concurrency() < 1 || options.concurrency() > 64)
    co_return Error(Errc::invalid_argument, "concurrency is 1 to 64").with_operation("copy");
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    co_return Error(Errc::cancelled).with_operation("copy");
  auto job = std::make_shared<const Job>(std::move(from), std::move(to), std::move(options));
  auto body = Copy::run(std::make_shared<Copy>(std::move(job)));
  co_return co_await detail::run_isolated<CopyReport>(state, std::chrono::milliseconds(0), std::move(body));
}

}  // namespace sessile
