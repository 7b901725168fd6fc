#include "bench/environment.hpp"
#include "bench/measure/takeover.hpp"
#include "bench/measurement.hpp"

#include <algorithm>
#include <cmath>

namespace sessile::bench {

namespace {

Latencies latencies_of(const std::vector<TakeoverRound>& rounds, std::int64_t TakeoverRound::*field) {
  std::vector<std::int64_t> times;
  for (const auto& round : rounds)
    times.push_back(round.*field);
  return Latencies(std::move(times));
}

template <class Count>
std::uint64_t sum_over(const Takeover& takeover, Count count) {
  std::uint64_t sum = 0;
  for (const auto* rounds : {&takeover.held, &takeover.writing}) {
    for (const auto& round : *rounds)
      sum += count(round);
  }
  return sum;
}

std::uint64_t failures(const Takeover& takeover) {
  return sum_over(takeover, [](const TakeoverRound& round) { return round.failed; });
}

std::uint64_t torn(const Takeover& takeover) {
  return sum_over(takeover, [](const TakeoverRound& round) { return round.torn ? 1U : 0U; });
}

std::string first_failure(const Takeover& takeover) {
  for (const auto* rounds : {&takeover.held, &takeover.writing}) {
    for (const auto& round : *rounds) {
      if (!round.first_failure.empty()) return round.first_failure;
    }
  }
  return std::string();
}

std::string label(const Takeover& takeover) {
  std::string text = takeover.held.front().backend;
  if (!takeover.config.lock.empty()) text += " " + takeover.config.lock;
  if (!takeover.config.waiting.empty()) text += " " + takeover.config.waiting;
  return text;
}

}  // namespace

Latencies Takeover::next() const {
  return latencies_of(held, &TakeoverRound::next_ns);
}

Latencies Takeover::all() const {
  return latencies_of(held, &TakeoverRound::all_ns);
}

json::object to_json(const Takeover& takeover) {
  const RunConfig& config = takeover.config;
  json::object object;
  object["engine"] = config.engine;
  object["backend"] = takeover.held.front().backend;
  object["label"] = label(takeover);
  object["workload"] = config.workload;
  object["writers"] = config.writers;
  object["processes"] = config.processes;
  object["bytes"] = config.bytes;
  object["sessions"] = config.sessions;
  object["store"] = config.shown_store;
  object["lock"] = config.lock;
  object["waiting"] = config.waiting;
  object["durability"] = takeover.held.front().durability;
  object["repeats"] = takeover.held.size();
  put_latencies(object, takeover.next());
  object["all_served"] = latencies_object(takeover.all());
  object["kills_while_writing"] = takeover.writing.size();
  object["operations"] = sum_over(takeover, [](const TakeoverRound& round) { return round.completed; });
  object["failed"] = failures(takeover);
  object["torn"] = torn(takeover);
  if (const auto failure = first_failure(takeover); !failure.empty()) object["first_failure"] = failure;
  object["environment"] = environment(directory_shown(config));
  return object;
}

std::string to_table(const std::vector<Takeover>& takeovers) {
  std::vector<std::vector<std::string>> rows = {{"store", "processes", "kills", "next has it p50", "p90",
                                                 "max", "all served p50", "max", "killed writing", "torn",
                                                 "failed"}};
  for (const auto& takeover : takeovers) {
    const Latencies next = takeover.next();
    const Latencies all = takeover.all();
    rows.push_back({label(takeover), std::to_string(takeover.config.processes),
                    std::to_string(takeover.held.size()), readable_us(next.p50_us), readable_us(next.p90_us),
                    readable_us(next.max_us), readable_us(all.p50_us), readable_us(all.max_us),
                    std::to_string(takeover.writing.size()), std::to_string(torn(takeover)),
                    std::to_string(failures(takeover))});
  }
  return align(rows);
}

}  // namespace sessile::bench
