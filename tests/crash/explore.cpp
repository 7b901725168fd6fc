// Enumerates crashes: all sequences of operations, all cuts, and what may become of what was not synced.
//
//   crash_explore [--seed N] [--seconds S] [--histories N] [--length L] [--states N] [--tears N] [--faults]
//                 [--subject NAME]
//   crash_explore --replay STATE [--seed N] [--states N] [--tears N]
//
// The histories are taken in an order that the seed shuffles, until all were or the time is up. Prints one
// line of JSON: what was looked at, and how fast. Exits with 1 when a state was wrong.
#include "plans.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>

namespace {

using namespace sessile::crash;

class Arguments {
 public:
  Sampling sampling;
  double seconds = 3600;
  std::uint64_t histories = UINT64_MAX;
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
    } else if (name == "--histories") {
      arguments.histories = std::stoull(value);
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

void print(const Arguments& arguments, const Counts& counts, std::size_t plans, double seconds) {
  std::cout << "{\"harness\":\"crash_explore\",\"seed\":" << arguments.sampling.seed
            << ",\"faults\":" << (arguments.faults ? "true" : "false")
            << ",\"histories\":" << counts.histories << ",\"plans\":" << plans << ",\"cuts\":" << counts.cuts
            << ",\"sampled_cuts\":" << counts.sampled << ",\"states_of_a_cut\":" << arguments.sampling.states
            << ",\"states\":" << counts.states << ",\"images\":" << counts.images
            << ",\"compactions\":" << counts.compactions << ",\"second_crashes\":" << counts.again
            << ",\"wrong\":" << counts.failures << ",\"seconds\":" << seconds << ",\"states_per_s\":"
            << static_cast<std::uint64_t>(static_cast<double>(counts.states) / seconds) << "}\n";
}

int run(const Arguments& arguments) {
  Explorer explorer(arguments.sampling);
  if (!arguments.replay.empty()) {
    const auto id = StateId::parse(arguments.replay);
    if (!id) throw std::invalid_argument("not a state: " + arguments.replay);
    return explorer.replay(*id) ? 0 : 1;
  }
  const auto plans = make_plans(explorer, arguments.subject, arguments.length, arguments.sampling.seed);
  const auto started = std::chrono::steady_clock::now();
  const auto elapsed = [started] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  };
  const auto is_over = [&] {
    return elapsed() > arguments.seconds || explorer.counts().histories >= arguments.histories;
  };
  explore_all(explorer, plans, arguments.faults, is_over);
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
