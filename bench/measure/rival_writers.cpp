#include "bench/measure/recorder.hpp"
#include "bench/measure/writers.hpp"

#include "storage/io_pool.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <thread>

namespace sessile::bench {

namespace {

Sync sync_of(const RunConfig& config) {
  return config.durability == "power" || config.durability.empty() ? Sync::yes : Sync::no;
}

/// One writer of a rival. Used by one thread at a time.
class RivalWriter {
 public:
  RivalWriter(const SharedRun& run, std::size_t writer, std::shared_ptr<const SharedSamples> samples,
              std::unique_ptr<RivalClient> client)
      : config_(run.config()),
        sync_(sync_of(config_)),
        plan_(config_, writer, std::move(samples)),
        recorder_(run, writer),
        client_(std::move(client)) {}

  void begin() noexcept { recorder_.begin(); }
  bool more() const noexcept { return recorder_.more(); }
  std::chrono::microseconds think_time() const { return std::chrono::microseconds(config_.think_us); }

  void make_first() {
    const SessionPtr session = plan_.needs_first();
    if (!session) return;
    const auto start = now_ns();
    const auto saved = client_->save(*session, sync_);
    const auto end = now_ns();
    if (!saved) recorder_.record(Step(), start, end, saved.error());
    recorder_.set_aside(start, end);
  }

  const Step& next() { return plan_.next(); }

  std::optional<Error> perform(const Step& step) {
    switch (step.kind) {
      case StepKind::save:
        return failure_of(client_->save(*step.session, sync_));
      case StepKind::append:
        return failure_of(client_->append(step.id, step.messages.front(), sync_));
      case StepKind::load:
        loaded_ = client_->load(step.id);
        return failure_of(loaded_);
      case StepKind::list_for_agent:
        listed_ = client_->list_for_agent(step.agent);
        return failure_of(listed_);
      case StepKind::update:
        break;
    }
    return Error(Errc::unsupported);
  }

  void record(const Step& step, std::int64_t start, std::optional<Error> failure) {
    const auto end = now_ns();
    if (!failure && step.kind == StepKind::list_for_agent && listed_->size() != step.expected) {
      failure = Error(Errc::io, "list_for_agent returned " + std::to_string(listed_->size()) +
                                    " sessions in the place of " + std::to_string(step.expected));
    }
    recorder_.record(step, start, end, failure);
    // What was read is freed here, unmeasured, as it is with Sessile's stores.
    loaded_ = SessionPtr();
    listed_ = std::vector<SessionPtr>();
  }

 private:
  template <class T>
  static std::optional<Error> failure_of(const Result<T>& result) {
    return result ? std::nullopt : std::optional(result.error());
  }

  const RunConfig& config_;
  Sync sync_;
  WriterPlan plan_;
  Recorder recorder_;
  std::unique_ptr<RivalClient> client_;
  Result<SessionPtr> loaded_;
  Result<std::vector<SessionPtr>> listed_;
};

void write_on_a_thread(RivalWriter& writer) {
  while (writer.more()) {
    writer.make_first();
    const Step& step = writer.next();
    const auto start = now_ns();
    const auto failure = writer.perform(step);
    writer.record(step, start, failure);
    if (writer.think_time().count() > 0) std::this_thread::sleep_for(writer.think_time());
  }
}

/// As an async program calls a blocking library: from a coroutine, on another thread, and back.
asio::awaitable<void> write_through_a_pool(RivalWriter& writer) {
  while (writer.more()) {
    writer.make_first();
    const Step& step = writer.next();
    const auto start = now_ns();
    const auto failure = co_await storage::run_on(
        storage::io_executor(), [&writer, &step](storage::CommitGate&) { return writer.perform(step); });
    writer.record(step, start, failure);
    if (writer.think_time().count() > 0) std::this_thread::sleep_for(writer.think_time());
  }
}

}  // namespace

Result<void> prepare(const RunConfig& config, Rival& rival) {
  auto client = rival.connect();
  if (!client) return client.error();
  Result<void> outcome = success();
  each_prepared(config, [&](const SessionPtr& session) {
    outcome = (*client)->save(*session, Sync::no);
    return outcome.has_value();
  });
  return outcome;
}

Result<void> run_writers(const SharedRun& run, std::size_t process, Rival& rival, const StartGate& start) {
  const RunConfig& config = run.config();
  const auto samples = std::make_shared<const SharedSamples>(config);
  std::vector<std::unique_ptr<RivalWriter>> writers;
  for (std::size_t i = 0; i < config.writers; ++i) {
    auto client = rival.connect();
    if (!client) return client.error();
    if (config.holds > 0) (*client)->observe_locks(HoldRecorder(run, process));
    writers.push_back(
        std::make_unique<RivalWriter>(run, process * config.writers + i, samples, std::move(*client)));
  }
  if (!start()) return success();
  for (const auto& writer : writers)
    writer->begin();
  if (config.drive == "pool") {
    asio::thread_pool pool(executor_threads(config));
    std::vector<std::future<void>> ends;
    for (const auto& writer : writers) {
      ends.push_back(asio::co_spawn(pool, write_through_a_pool(*writer), asio::use_future));
    }
    for (auto& end : ends)
      end.get();
    pool.join();
    return success();
  }
  std::vector<std::thread> threads;
  for (const auto& writer : writers)
    threads.emplace_back(write_on_a_thread, std::ref(*writer));
  for (auto& thread : threads)
    thread.join();
  return success();
}

}  // namespace sessile::bench
