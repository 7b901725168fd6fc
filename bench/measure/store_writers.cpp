#include "bench/measure/recorder.hpp"
#include "bench/measure/writers.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <thread>

namespace sessile::bench {

namespace {

// A backend whose operations never suspend would keep its thread from the other writers.
constexpr std::uint64_t kOperationsATurn = 64;

/// What one writer's coroutine works on; lives as long as the coroutine.
class StoreWriter {
 public:
  StoreWriter(const SharedRun& shared_run, std::size_t writer, std::shared_ptr<const SharedSamples> samples,
              std::shared_ptr<SessionStore> opened)
      : config(shared_run.config()),
        number(writer),
        holds(shared_run, writer / shared_run.config().writers),
        plan(config, writer, std::move(samples)),
        recorder(shared_run, writer),
        store(std::move(opened)) {}

  const RunConfig& config;
  const std::size_t number;
  HoldRecorder holds;
  WriterPlan plan;
  Recorder recorder;
  std::shared_ptr<SessionStore> store;
};

template <class T>
std::optional<Error> failure_of(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

std::optional<Error> failure_of(const Result<AgentSessions>& result, const Step& step) {
  if (!result) return result.error();
  if (!result->unreadable.empty()) return result->unreadable.front();
  if (result->items.size() == std::min(step.expected, ListQuery().limit()) || !result->next.empty()) {
    return std::nullopt;
  }
  return Error(Errc::io, "list_for_agent returned " + std::to_string(result->items.size()) +
                             " sessions in the place of " + std::to_string(step.expected));
}

asio::awaitable<void> make_first(StoreWriter& writer) {
  SessionPtr session = writer.plan.needs_first();
  if (!session) co_return;
  const auto start = now_ns();
  auto saved = co_await writer.store->save(std::move(session));
  const auto end = now_ns();
  if (!saved) writer.recorder.record(Step(), start, end, saved.error());
  writer.recorder.set_aside(start, end);
}

/// When the mutation of one update ran.
class MutationTimes {
 public:
  MutationTimes() {}
  std::int64_t began = 0;
  int runs = 0;
};

Mutation change_to(const Step& step, std::size_t writer, MutationTimes& times) {
  return Mutation([&step, writer, &times](Session& session) {
    times.began = now_ns();
    ++times.runs;
    session.messages = step.session->messages;
    session.set_metadata("writer", writer).set_metadata("turn", step.number);
  });
}

asio::awaitable<void> perform_update(StoreWriter& writer, const Step& step) {
  MutationTimes times;
  auto mutation = change_to(step, writer.number, times);
  const auto start = now_ns();
  auto result = co_await writer.store->update(step.id, std::move(mutation));
  const auto end = now_ns();
  writer.recorder.record(step, start, end, failure_of(result));
  if (times.runs > 1) writer.holds.note_repeated_mutation();
  if (times.runs == 1) {
    writer.holds.note_mutation(std::hash<std::string>()(step.id.str()), start, times.began, end);
  }
}

asio::awaitable<void> perform(StoreWriter& writer, const Step& step) {
  SessionStore& store = *writer.store;
  std::optional<Error> failure;
  std::int64_t start = 0;
  std::int64_t end = 0;
  switch (step.kind) {
    case StepKind::save: {
      start = now_ns();
      auto result = co_await store.save(step.session);
      end = now_ns();
      failure = failure_of(result);
      break;
    }
    case StepKind::append: {
      std::vector<Message> messages = step.messages;
      start = now_ns();
      auto result = co_await store.append(step.id, std::move(messages));
      end = now_ns();
      failure = failure_of(result);
      break;
    }
    case StepKind::load: {
      start = now_ns();
      auto result = co_await store.load(step.id);
      end = now_ns();
      failure = failure_of(result);
      break;
    }
    case StepKind::list_for_agent: {
      ListQuery query;
      start = now_ns();
      auto result = co_await store.list_for_agent(step.agent, std::move(query));
      end = now_ns();
      failure = failure_of(result, step);
      break;
    }
    case StepKind::update:
      co_return co_await perform_update(writer, step);
  }
  writer.recorder.record(step, start, end, failure);
}

asio::awaitable<void> think(std::uint64_t microseconds) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::microseconds(microseconds));
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> write_until_the_end(std::shared_ptr<StoreWriter> writer) {
  const bool must_yield = writer->store->capabilities().never_suspends;
  const bool makes_sessions = writer->config.workload == "append";
  for (std::uint64_t turn = 1; writer->recorder.more(); ++turn) {
    if (makes_sessions) co_await make_first(*writer);
    co_await perform(*writer, writer->plan.next());
    if (writer->config.think_us > 0) co_await think(writer->config.think_us);
    if (must_yield && turn % kOperationsATurn == 0) {
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
  }
}

asio::awaitable<void> remove_all(std::shared_ptr<SessionStore> store, std::vector<SessionId> ids) {
  for (auto& id : ids) {
    auto removed = co_await store->remove(std::move(id));
    removed.ignore();
  }
}

SaveOptions unsynced(const SessionStore& store) {
  SaveOptions options;
  if (store.capabilities().max_durability > Durability::process) options.durability(Durability::process);
  return options;
}

Async<void> store_prepared(const RunConfig& config, std::shared_ptr<SessionStore> store) {
  std::vector<SessionPtr> sessions;
  each_prepared(config, [&](SessionPtr session) { return sessions.push_back(std::move(session)), true; });
  for (auto& session : sessions) {
    auto saved = co_await store->save(std::move(session), unsynced(*store));
    if (!saved) co_return saved.error();
  }
  co_return co_await store->flush();
}

}  // namespace

std::size_t executor_threads(const RunConfig& config) noexcept {
  if (config.threads > 0) return static_cast<std::size_t>(config.threads);
  const std::uint64_t cpus = std::max(1U, std::thread::hardware_concurrency());
  return static_cast<std::size_t>(std::min(cpus, config.writers));
}

Result<void> prepare(const RunConfig& config, const std::shared_ptr<SessionStore>& store) {
  asio::thread_pool pool(1);
  auto outcome = asio::co_spawn(pool, store_prepared(config, store), asio::use_future).get();
  pool.join();
  return outcome;
}

void run_writers(const SharedRun& run, std::size_t process, const std::shared_ptr<SessionStore>& store,
                 const StartGate& start, bool clean_up) {
  const RunConfig& config = run.config();
  const auto samples = std::make_shared<const SharedSamples>(config);
  std::vector<std::shared_ptr<StoreWriter>> writers;
  asio::thread_pool pool(executor_threads(config));
  for (std::size_t i = 0; i < config.writers; ++i) {
    writers.push_back(std::make_shared<StoreWriter>(run, process * config.writers + i, samples, store));
  }
  if (!start()) return;
  std::vector<std::future<void>> ends;
  for (const auto& writer : writers) {
    writer->recorder.begin();
    ends.push_back(asio::co_spawn(pool, write_until_the_end(writer), asio::use_future));
  }
  for (auto& end : ends)
    end.get();
  if (clean_up) {
    for (const auto& writer : writers) {
      asio::co_spawn(pool, remove_all(store, writer->plan.made()), asio::use_future).get();
    }
  }
  // The store's threads may hold work of the pool a moment longer than the operation lasts.
  pool.join();
}

void clean_up(const RunConfig& config, const std::shared_ptr<SessionStore>& store) {
  asio::thread_pool pool(1);
  asio::co_spawn(pool, remove_all(store, prepared_ids(config)), asio::use_future).get();
  pool.join();
}

}  // namespace sessile::bench
