#include "bench/engines/engine.hpp"
#include "bench/measure/plan.hpp"
#include "bench/measure/takeover.hpp"

#include <sessile/blocking.hpp>

#include <thread>

namespace sessile::bench {

namespace {

/// One process of a takeover. `Engine` has hold(work) and write(session).
template <class Engine>
class Participant {
 public:
  Participant(const SharedRun& run, std::size_t process, Engine engine)
      : run_(run),
        header_(run.header()),
        process_(process),
        engine_(std::move(engine)),
        samples_(run.config()) {}

  Result<void> take_part() {
    wait_until([this] { return header_.prepared.load() > 0; });
    if (run_.config().operation == kKilledWriting) return write_until_stopped();
    return process_ == 0 ? hold_until_killed() : wait_for_lock();
  }

 private:
  template <class Condition>
  void wait_until(Condition condition) {
    while (!condition() && header_.stop.load() == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
  }

  Result<void> hold_until_killed() {
    return engine_.hold([this] {
      header_.ready.fetch_add(1);
      wait_until([] { return false; });
    });
  }

  Result<void> wait_for_lock() {
    wait_until([this] { return header_.ready.load() > 0; });
    header_.ready.fetch_add(1);
    HoldEntry& entry = run_.hold(process_);
    std::int64_t acquired = 0;
    entry.requested = now_ns();
    auto done = engine_.hold([this, &acquired] {
      acquired = now_ns();
      header_.finished.fetch_add(1);
    });
    count(done);
    if (!done) return success();
    entry.acquired = acquired;
    entry.released.store(now_ns(), std::memory_order_release);
    return success();
  }

  Result<void> write_until_stopped() {
    header_.ready.fetch_add(1);
    for (std::size_t turn = process_; header_.stop.load() == 0; ++turn) {
      count(engine_.write(*samples_.sample(0, turn % samples_.variants())));
    }
    return success();
  }

  void count(const Result<void>& done) {
    auto& slot = run_.slot(process_);
    (done ? slot.completed : slot.failed).fetch_add(1);
    if (!done) run_.report_failure(done.error().message());
  }

  const SharedRun& run_;
  RunHeader& header_;
  std::size_t process_;
  Engine engine_;
  SharedSamples samples_;
};

class StoreEngine {
 public:
  StoreEngine(SessionStore& store, SessionId id) : store_(&store), id_(std::move(id)) {}
  Result<void> hold(const std::function<void()>& work) {
    auto done = blocking::update(*store_, id_, [&work](Session& session) {
      work();
      session.set_metadata("turn", now_ns());
    });
    if (!done) return done.error();
    return success();
  }
  Result<void> write(const Session& session) {
    auto done = blocking::save(*store_, session);
    if (!done) return done.error();
    return success();
  }

 private:
  SessionStore* store_;
  SessionId id_;
};

class RivalEngine {
 public:
  RivalEngine(std::unique_ptr<RivalClient> client, SessionId id)
      : client_(std::move(client)), id_(std::move(id)) {}
  Result<void> hold(const std::function<void()>& work) { return client_->hold(id_, work); }
  Result<void> write(const Session& session) { return client_->save(session, Sync::yes); }

 private:
  std::unique_ptr<RivalClient> client_;
  SessionId id_;
};

}  // namespace

Result<void> take_part(const SharedRun& run, std::size_t process, SessionStore& store) {
  StoreEngine engine(store, prepared_ids(run.config()).front());
  return Participant<StoreEngine>(run, process, std::move(engine)).take_part();
}

Result<void> take_part(const SharedRun& run, std::size_t process, Rival& rival) {
  auto client = rival.connect();
  if (!client) return client.error();
  RivalEngine engine(std::move(*client), prepared_ids(run.config()).front());
  return Participant<RivalEngine>(run, process, std::move(engine)).take_part();
}

}  // namespace sessile::bench
