#include "bench/measure/coordinator.hpp"

#include "bench/engines/engine.hpp"
#include "bench/measure/processes.hpp"
#include "bench/measure/run_directory.hpp"

#include <sessile/ids.hpp>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <thread>

namespace sessile::bench {

namespace {

using namespace std::chrono_literals;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr auto kLook = 5ms;
// How long after the window the operations still running may take before their process is killed.
constexpr auto kPatience = 60s;

std::atomic<int> interruptions{0};

extern "C" void on_interruption(int) {
  interruptions.fetch_add(1);
}

void catch_interruptions() noexcept {
  struct sigaction action {};
  action.sa_handler = on_interruption;
  // A second one ends the program at once.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

/// One run, from the start of its processes to their end.
class Coordinator {
 public:
  Coordinator(SharedRun& run, Progress& progress) : run_(run), progress_(progress), header_(run.header()) {}

  Result<Outcome> coordinate() {
    const RunConfig& config = run_.config();
    for (std::size_t i = 0; i < config.processes; ++i)
      processes_.start(run_.name(), i);
    if (!wait_until_all([this] { return header_.attached.load(); })) return give_up();
    // From here on nothing can leave the shared memory behind.
    run_.remove_name();
    if (!wait_until_all([this] { return header_.ready.load(); })) return give_up();
    open_window();
    const auto ended = wait_for_window();
    if (!wait_for_end()) return give_up();
    if (interrupted()) return Error(Errc::cancelled, "interrupted");
    return read_outcome(run_, ended);
  }

 private:
  template <class Count>
  bool wait_until_all(Count count) {
    while (count() < run_.config().processes) {
      if (interrupted()) return false;
      // All of them wait for each other: one that has ended now has failed.
      if (processes_.all_ended() || processes_.any_failed()) return false;
      progress_.update(0);
      std::this_thread::sleep_for(kLook);
    }
    return true;
  }

  void open_window() {
    const RunConfig& config = run_.config();
    const auto from = now_ns() + static_cast<std::int64_t>(config.warm_up * 1e9);
    header_.measure_until.store(from + static_cast<std::int64_t>(config.seconds * 1e9));
    // The last to be set: it is what the workers wait for.
    header_.measure_from.store(from);
  }

  /// Returns now_ns() at its end.
  std::int64_t wait_for_window() {
    const auto until = header_.measure_until.load();
    const double all = run_.config().warm_up + run_.config().seconds;
    while (now_ns() < until && !interrupted() && !processes_.any_failed()) {
      const double left = static_cast<double>(until - now_ns()) / 1e9;
      progress_.update(1 - left / all);
      std::this_thread::sleep_for(
          std::min(100ms, std::chrono::milliseconds(static_cast<int>(left * 1e3) + 1)));
      processes_.all_ended();
    }
    return now_ns();
  }

  bool wait_for_end() {
    if (interrupted() || processes_.any_failed()) header_.stop.store(1);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!processes_.all_ended()) {
      if (interrupted() || processes_.any_failed()) header_.stop.store(1);
      if (std::chrono::steady_clock::now() > deadline) {
        run_.report_failure("a worker did not end within a minute after the window, and was killed");
        return false;
      }
      std::this_thread::sleep_for(kLook);
    }
    return !processes_.any_failed();
  }

  Error give_up() {
    header_.stop.store(1);
    processes_.kill_all();
    if (interrupted()) return Error(Errc::cancelled, "interrupted");
    std::string why = processes_.failure();
    if (!run_.failure().empty()) why += (why.empty() ? "" : "; the first failure: ") + run_.failure();
    return Error(Errc::io, why);
  }

  SharedRun& run_;
  Progress& progress_;
  RunHeader& header_;
  Processes processes_;
};

}  // namespace

bool interrupted() noexcept {
  static const bool installed = (catch_interruptions(), true);
  return installed && interruptions.load() > 0;
}

Result<Outcome> run_once(RunConfig config, Progress& progress) {
  if (interrupted()) return Error(Errc::cancelled, "interrupted");
  RunDirectory directory;
  if (auto made = directory.give(config); !made) return made.error();
  try {
    SharedRun run = SharedRun::create(config);
    return Coordinator(run, progress).coordinate();
  } catch (const std::exception& error) {
    return Error(Errc::unavailable, "the run could not be started").with_outside_text(error.what());
  }
}

}  // namespace sessile::bench
