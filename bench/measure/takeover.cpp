#include "bench/measure/takeover.hpp"

#include "bench/engines/engine.hpp"
#include "bench/measure/coordinator.hpp"
#include "bench/measure/plan.hpp"
#include "bench/measure/processes.hpp"
#include "bench/measure/run_directory.hpp"

#include <sessile/blocking.hpp>
#include <sessile/open.hpp>

#include <algorithm>
#include <limits>
#include <random>
#include <thread>

namespace sessile::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

/// The session as it was left, read by this process.
Result<SessionPtr> read_left(const RunConfig& config) {
  const SessionId id = prepared_ids(config).front();
  if (const RivalKind* kind = find_rival(config.engine); kind != nullptr) {
    auto directory = directory_of(config.store);
    if (!directory) return directory.error();
    auto rival = kind->open(*directory, Sync::yes);
    if (!rival) return rival.error();
    auto client = (*rival)->connect();
    if (!client) return client.error();
    return (*client)->load(id);
  }
  auto store = open_store(config.store);
  if (!store) return store.error();
  auto loaded = blocking::load(**store, id);
  if (!is_directory_url(config.store)) blocking::remove(**store, id).ignore();
  blocking::close(**store).ignore();
  return loaded;
}

/// True for the session that was there first, and for each that a writer may have made of it.
bool is_whole(const RunConfig& config, const Session& left) {
  bool known = false;
  each_prepared(config,
                [&](const SessionPtr& first) { return known = first->messages == left.messages, false; });
  const SharedSamples samples(config);
  for (std::size_t variant = 0; variant < samples.variants(); ++variant) {
    known = known || samples.sample(0, variant)->messages == left.messages;
  }
  return known;
}

class Round {
 public:
  Round(SharedRun& run, Progress& progress, double share)
      : run_(run), progress_(progress), share_(share), header_(run.header()) {}

  Result<TakeoverRound> play() {
    const std::size_t processes = run_.config().processes;
    for (std::size_t i = 0; i < processes; ++i)
      processes_.start(run_.name(), i);
    if (!wait_for([&] { return header_.attached.load() >= processes; })) return give_up();
    run_.remove_name();
    if (!wait_for([&] { return header_.ready.load() >= processes; })) return give_up();
    // Long enough that those who wait have settled down to it, and at any point of what they do meanwhile.
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us()));
    const bool holding = run_.config().operation == kKilledHolding;
    if (holding && header_.finished.load() > 0) {
      return Error(
          Errc::unsupported,
          "this store keeps nobody out while an update is in its mutation: there is no lock to take over");
    }
    const auto killed = now_ns();
    if (!processes_.kill(0)) return give_up();
    if (!holding) {
      std::this_thread::sleep_for(50ms);
      header_.stop.store(1);
    }
    if (!wait_for([&] { return processes_.all_ended(); }) || processes_.any_failed()) return give_up();
    return outcome(killed);
  }

 private:
  template <class Condition>
  bool wait_for(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      processes_.all_ended();
      if (interrupted() || processes_.any_failed() || std::chrono::steady_clock::now() > deadline)
        return false;
      progress_.update(share_);
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }

  std::int64_t pause_us() const {
    std::minstd_rand random{std::random_device{}()};
    if (run_.config().operation == kKilledHolding) {
      return std::uniform_int_distribution<std::int64_t>(100'000, 200'000)(random);
    }
    return std::uniform_int_distribution<std::int64_t>(1'000, 40'000)(random);
  }

  Result<TakeoverRound> outcome(std::int64_t killed) const {
    TakeoverRound round;
    round.backend = header_.backend.data();
    round.durability = header_.durability.data();
    round.first_failure = run_.failure();
    round.next_ns = std::numeric_limits<std::int64_t>::max();
    for (std::size_t i = 1; i < run_.config().processes; ++i) {
      round.completed += run_.slot(i).completed.load();
      round.failed += run_.slot(i).failed.load();
      const HoldEntry& entry = run_.hold(i);
      const std::int64_t ended = entry.released.load(std::memory_order_acquire);
      if (ended == 0) continue;
      round.next_ns = std::min(round.next_ns, entry.acquired - killed);
      round.all_ns = std::max(round.all_ns, ended - killed);
    }
    if (round.all_ns == 0 && run_.config().operation == kKilledHolding) {
      return Error(Errc::io, "nobody who waited got the lock; the first failure: " + round.first_failure);
    }
    return round;
  }

  Error give_up() {
    processes_.kill_all();
    if (interrupted()) return Error(Errc::cancelled, "interrupted");
    std::string why = processes_.failure();
    if (why.empty()) why = "the processes did not get anywhere in a minute, and were killed";
    if (!run_.failure().empty()) why += "; the first failure: " + run_.failure();
    return Error(Errc::io, why);
  }

  SharedRun& run_;
  Progress& progress_;
  double share_;
  RunHeader& header_;
  Processes processes_;
};

}  // namespace

Result<TakeoverRound> take_over_once(RunConfig config, Progress& progress, double share) {
  if (interrupted()) return Error(Errc::cancelled, "interrupted");
  RunDirectory directory;
  if (auto made = directory.give(config); !made) return made.error();
  try {
    SharedRun run = SharedRun::create(config);
    auto round = Round(run, progress, share).play();
    if (!round) return round;
    auto left = read_left(config);
    if (!left) {
      round->torn = true;
      if (round->first_failure.empty()) round->first_failure = left.error().message();
    } else {
      round->torn = !is_whole(config, **left);
    }
    return round;
  } catch (const std::exception& error) {
    return Error(Errc::unavailable, "the run could not be started").with_outside_text(error.what());
  }
}

}  // namespace sessile::bench
