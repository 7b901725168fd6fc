#include "compaction.hpp"

#include "records.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <utility>

namespace sessile::json_directory {

namespace asio = storage::asio;
using storage::AppendLog;
using storage::CommitGate;

namespace {

/// Somebody who writes all the time would overtake any number of them.
constexpr int kTries = 2;
/// Whoever holds a lock longer than this writes to the log, most likely.
constexpr std::chrono::milliseconds kLongestWait{1000};

/// Then nothing is begun any more: the program waits for what is under way.
bool program_ends() {
  static auto& ends = *new std::atomic<bool>(false);
  [[maybe_unused]] static const bool asked = [] {
    storage::before_io_pool_ends([] { ends = true; });
    return true;
  }();
  return ends;
}

Error given_up() {
  return Error(Errc::cancelled, "the program ends");
}

}  // namespace

LogCompaction::LogCompaction(std::shared_ptr<const Place> place, SessionId id, const storage::LogMark& mark,
                             const Limits& limits)
    : place_(std::move(place)), id_(std::move(id)), log_name_(log_name(id_)), mark_(mark), limits_(limits) {}

Result<LogCompaction::Step> LogCompaction::prepare(const CommitGate& gate) {
  prepared_.reset();
  auto log = AppendLog::open_to_read(*place_->sessions, log_name_);
  if (!log) return log.error();
  auto read = read_bytes(*log, *place_->sessions, id_, limits_);
  // What looks damaged may have been read while it was written. If it was not, a writer is the one to say so.
  if (!read && read.error().code() == Errc::corrupt) return Step::overtaken;
  if (!read) return read.error();
  if (read->tail.torn || read->tail.newline_missing) return Step::overtaken;
  auto mark = log->mark(read->tail);
  if (!mark) return mark.error();
  mark_ = *mark;
  // Such a log is replaced by the next write.
  if (log->must_be_replaced()) return Step::overtaken;
  if (mark_.end <= place_->compaction.bound(read->replayed.summary.stored_bytes)) return Step::not_due;
  read_ = std::move(*read);
  session_ = std::make_shared<const Session>(std::move(read_.replayed.stored.session));
  return write_beside(*log, gate);
}

Result<LogCompaction::Step> LogCompaction::write_beside(AppendLog& log, const CommitGate& gate) {
  RecordHead head;
  head.type = RecordType::snapshot;
  head.summary = read_.replayed.summary;
  // As of a log that any write replaces: the entries in directories are for a later one to make sure of.
  head.unsettled = true;
  head.synced = true;
  const std::string members = encode_snapshot(head, *session_, read_.replayed.stored.appends);
  // Only to spare the device what is in vain already: what counts is what the lock's holder sees.
  auto same = log.recognise(mark_);
  if (!same) return same.error();
  if (!*same) return Step::overtaken;
  if (program_ends()) return given_up();
  auto prepared =
      storage::prepare_log(*place_->sessions, log_name_, mark_.seq + 1, members, 0, Durability::power, gate);
  if (!prepared) return prepared.error();
  prepared_.emplace(std::move(*prepared));
  return Step::done;
}

Result<LogCompaction::Step> LogCompaction::put_in_place(CommitGate& gate) {
  auto log = AppendLog::open_to_read(*place_->sessions, log_name_);
  if (!log) return log.error();
  auto same = log->recognise(mark_);
  if (!same) return same.error();
  if (!*same || log->must_be_replaced()) return Step::overtaken;
  const std::uint32_t checksum = prepared_->checksum();
  auto tail = prepared_->put_in_place(gate);
  prepared_.reset();
  // When the directory's sync failed nothing is remembered: the next write reads that all is unsettled.
  if (!tail) return tail.error();
  remember(std::move(*tail), checksum);
  return Step::done;
}

void LogCompaction::remember(storage::LogTail tail, std::uint32_t checksum) noexcept {
  try {
    auto log = AppendLog::open_to_read(*place_->sessions, log_name_);
    if (!log) return;
    read_.tail = std::move(tail);
    read_.checksum = checksum;
    read_.replayed.base = read_.replayed.from = read_.replayed.keyed = 0;
    auto known = known_log(*log, std::move(read_), std::move(session_), limits_);
    if (!known) return;
    known->state.synced = true;
    place_->cache->put(*place_->sessions, log_name_, std::move(known));
  } catch (const std::exception&) {
    // No memory: the next writer reads it.
  }
}

/// One of the compactions that are counted.
class AsideCompactions::Running {
 public:
  explicit Running(std::shared_ptr<AsideCompactions> all) : all_(std::move(all)) {
    const std::scoped_lock lock(all_->mutex_);
    ++all_->running_;
  }
  ~Running() {
    Waiters woken;
    {
      const std::scoped_lock lock(all_->mutex_);
      if (--all_->running_ == 0) woken.swap(all_->waiters_);
    }
    for (const auto& wake : woken)
      wake();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  using Waiters = storage::Waiters;
  const std::shared_ptr<AsideCompactions> all_;
};

class AsideCompactions::Job {
 public:
  Job(std::shared_ptr<AsideCompactions> all, const std::shared_ptr<const Place>& place, const SessionId& id,
      const storage::LogMark& due, const LockOptions& options, const Limits& limits)
      : running_(std::move(all)),
        compaction(place, id, due, limits),
        executor(place->compaction.executor ? place->compaction.executor : storage::io_executor()),
        // The observer is the store's, which may be gone.
        lock(place->locks, file_name(id.str()) + ".lock", LockOptions(options).observer(LockObserver()),
             executor) {
    begun = place->compactions->begin(*place->sessions, compaction.log(), due);
  }
  ~Job() {
    const Place& place = compaction.place();
    if (begun) place.compactions->end(*place.sessions, compaction.log(), compaction.mark(), given_up);
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

 private:
  const Running running_;  // ends last: whoever waits for it finds nothing of the job left

 public:
  LogCompaction compaction;
  const asio::any_io_executor executor;
  storage::AdvisoryLock lock;
  bool begun = false;
  bool given_up = true;  // until it is known to have ended well
};

void AsideCompactions::start(const std::shared_ptr<const Place>& place, const SessionId& id,
                             const storage::LogMark& due, const LockOptions& lock,
                             const Limits& limits) noexcept {
  try {
    auto job = std::make_unique<Job>(shared_from_this(), place, id, due, lock, limits);
    if (!job->begun) return;
    const asio::any_io_executor executor = job->executor;
    asio::co_spawn(executor, run(std::move(job)), asio::detached);
  } catch (const std::exception&) {
    // No memory: a later write finds the log due as well.
  }
}

asio::awaitable<void> AsideCompactions::run(std::unique_ptr<Job> job) {
  using Step = LogCompaction::Step;
  LogCompaction& compaction = job->compaction;
  Step step = Step::overtaken;
  try {
    for (int tries = 0; tries < kTries && step == Step::overtaken && !program_ends(); ++tries) {
      auto prepare = [&compaction](CommitGate& gate) { return compaction.prepare(gate); };
      auto prepared = co_await storage::run_on(job->executor, std::move(prepare));
      if (!prepared) co_return;
      step = *prepared;
      if (step != Step::done) continue;
      auto put = [&compaction](CommitGate& gate) { return compaction.put_in_place(gate); };
      auto done = co_await job->lock.run_locked<Step>(job->lock.deadline(kLongestWait), std::move(put));
      if (!done && done.error().code() != Errc::locked) co_return;
      step = done ? *done : Step::overtaken;
    }
    job->given_up = step == Step::overtaken;
  } catch (const std::exception&) {
    // It has failed.
  }
}

asio::awaitable<void> AsideCompactions::ended() {
  return storage::wait_in(
      waiters_, mutex_, [this] { return running_ == 0; }, storage::io_executor());
}

}  // namespace sessile::json_directory
