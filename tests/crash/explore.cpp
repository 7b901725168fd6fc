// Enumerates crashes: all sequences of operations, all cuts, and what may become of what was not synced.
//
//   crash_explore [--seed N] [--seconds S] [--length L] [--states N] [--tears N] [--faults] [--subject NAME]
//   crash_explore --replay STATE [--seed N] [--states N] [--tears N]
//
// The histories are taken in an order that the seed shuffles, until all were or the time is up. Prints one
// line of JSON: what was looked at, and how fast. Exits with 1 when a state was wrong.
#include "explorer.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>

namespace {

using namespace sessile::crash;

class Arguments {
 public:
  Sampling sampling;
  double seconds = 10;
  std::size_t length = 3;
  bool faults = false;
  std::string subject;
  std::string replay;
};

const char* environment(const char* name) {
  return std::getenv(name);  // NOLINT: one thread
}

Arguments parse(int count, char** values) {
  Arguments arguments;
  if (const char* seed = environment("SESSILE_SEED")) arguments.sampling.seed = std::stoull(seed);
  for (int i = 1; i < count; ++i) {
    const std::string name = values[i];
    if (name == "--faults") {
      arguments.faults = true;
      continue;
    }
    if (++i == count) throw std::invalid_argument(name + " needs a value");
    const std::string value = values[i];
    if (name == "--seed") {
      arguments.sampling.seed = std::stoull(value);
    } else if (name == "--seconds") {
      arguments.seconds = std::stod(value);
    } else if (name == "--length") {
      arguments.length = std::stoull(value);
    } else if (name == "--states") {
      arguments.sampling.states = std::stoull(value);
    } else if (name == "--tears") {
      arguments.sampling.tears = std::stoull(value);
    } else if (name == "--subject") {
      arguments.subject = value;
    } else if (name == "--replay") {
      arguments.replay = value;
    } else {
      throw std::invalid_argument("unknown argument " + name);
    }
  }
  return arguments;
}

void add_sequences(const Plan& base, const std::vector<std::string>& operations, std::size_t length,
                   std::vector<Plan>& plans) {
  if (!base.operations.empty()) plans.push_back(base);
  if (base.operations.size() == length) return;
  for (const std::string& operation : operations) {
    Plan longer = base;
    longer.operations.push_back(operation);
    add_sequences(longer, operations, length, plans);
  }
}

std::vector<Plan> all_plans(const Explorer& explorer, const Arguments& arguments) {
  std::vector<Plan> plans;
  for (const auto& subject : explorer.subjects()) {
    if (!arguments.subject.empty() && subject->name() != arguments.subject) continue;
    for (const auto& [start, setup] : subject->starts()) {
      Plan base;
      base.subject = subject->name();
      base.start = start;
      add_sequences(base, subject->operations(), arguments.length, plans);
    }
  }
  return plans;
}

/// Short sequences first: they fail in the simplest way. In each length an order that the seed decides.
void shuffle(std::vector<Plan>& plans, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::shuffle(plans.begin(), plans.end(), random);
  std::stable_sort(plans.begin(), plans.end(), [](const Plan& left, const Plan& right) {
    return std::min<std::size_t>(left.operations.size(), 2) <
           std::min<std::size_t>(right.operations.size(), 2);
  });
}

void print(const Arguments& arguments, const Counts& counts, std::size_t plans, double seconds) {
  std::cout << "{\"harness\":\"crash_explore\",\"seed\":" << arguments.sampling.seed
            << ",\"faults\":" << (arguments.faults ? "true" : "false")
            << ",\"histories\":" << counts.histories << ",\"plans\":" << plans << ",\"cuts\":" << counts.cuts
            << ",\"states\":" << counts.states << ",\"images\":" << counts.images
            << ",\"second_crashes\":" << counts.again << ",\"wrong\":" << counts.failures
            << ",\"seconds\":" << seconds << ",\"states_per_s\":"
            << static_cast<std::uint64_t>(static_cast<double>(counts.states) / seconds) << "}\n";
}

int run(const Arguments& arguments) {
  Explorer explorer(arguments.sampling);
  if (!arguments.replay.empty()) {
    const auto id = StateId::parse(arguments.replay);
    if (!id) throw std::invalid_argument("not a state: " + arguments.replay);
    return explorer.replay(*id) ? 0 : 1;
  }
  auto plans = all_plans(explorer, arguments);
  shuffle(plans, arguments.sampling.seed);
  const auto started = std::chrono::steady_clock::now();
  const auto elapsed = [started] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  };
  for (const Plan& plan : plans) {
    if (elapsed() > arguments.seconds) break;
    const std::size_t calls = explorer.explore(plan);
    if (!arguments.faults) continue;
    for (std::size_t call = 0; call < calls && elapsed() <= arguments.seconds; ++call) {
      Plan failing = plan;
      failing.fault = static_cast<int>(call);
      explorer.explore(failing);
    }
  }
  print(arguments, explorer.counts(), plans.size(), elapsed());
  return explorer.counts().failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** values) {
  try {
    return run(parse(count, values));
  } catch (const std::exception& error) {
    std::cerr << "crash_explore: " << error.what() << "\n";
    return 2;
  }
}
