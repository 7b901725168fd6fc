#include "bench/measure/worker.hpp"

#include "bench/measure/recorder.hpp"
#include "bench/measure/takeover.hpp"
#include "bench/measure/writers.hpp"

#include <sessile/blocking.hpp>
#include <sessile/open.hpp>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

namespace sessile::bench {

namespace {

template <std::size_t N>
void copy_text(std::array<char, N>& target, std::string_view text) {
  std::memcpy(target.data(), text.data(), std::min(text.size(), N - 1));
}

std::string_view text_of(Durability durability) {
  switch (durability) {
    case Durability::none:
      return "none";
    case Durability::process:
      return "process";
    case Durability::power:
      break;
  }
  return "power";
}

std::optional<Durability> durability_of(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text == "none") return Durability::none;
  return text == "process" ? Durability::process : Durability::power;
}

/// One worker's way through a run: attach, prepare, meet the others, measure, clean up.
class Worker {
 public:
  Worker(const SharedRun& run, std::size_t process)
      : run_(run), config_(run.config()), header_(run.header()), process_(process) {}

  Result<void> work() { return config_.is_rival() ? work_on_rival() : work_on_store(); }

 private:
  Result<void> work_on_store() {
    OpenOptions options;
    if (const auto durability = durability_of(config_.durability)) options.durability(*durability);
    if (config_.holds > 0 && !is_takeover()) options.lock_observer(HoldRecorder(run_, process_));
    auto opened = open_store(config_.store, std::move(options));
    if (!opened) return opened.error();
    const auto& store = *opened;
    const Capabilities& capabilities = store->capabilities();
    if (capabilities.reach == Reach::process && config_.processes > 1) {
      return Error(Errc::unsupported, "a store of the backend " + capabilities.backend +
                                          " is seen by one process only: use --processes 1");
    }
    if (process_ == 0) {
      copy_text(header_.backend, capabilities.backend);
      copy_text(header_.durability,
                text_of(store->options().durability().value_or(capabilities.default_durability)));
      if (auto done = prepare(config_, store); !done) return done;
      settle();
    }
    if (is_takeover()) return take_part(run_, process_, *store);
    const bool remove = !is_directory_url(config_.store);
    run_writers(
        run_, process_, store, [this] { return meet_the_others(); }, remove);
    header_.finished.fetch_add(1);
    if (process_ == 0 && remove) {
      wait_for([this] { return header_.finished.load() >= config_.processes; });
      clean_up(config_, store);
    }
    return blocking::close(*store);
  }

  Result<void> work_on_rival() {
    const RivalKind* kind = find_rival(config_.engine);
    if (kind == nullptr) return Error(Errc::unsupported, "this build has no engine " + config_.engine);
    auto directory = directory_of(config_.store);
    if (!directory) return directory.error();
    const bool power = config_.durability.empty() || config_.durability == "power";
    // The others open what the first one made.
    if (process_ > 0 && !wait_for([this] { return header_.prepared.load() > 0; })) return success();
    auto rival = kind->open(*directory, power ? Sync::yes : Sync::no);
    if (!rival) return rival.error();
    if (process_ == 0) {
      copy_text(header_.backend, kind->name);
      copy_text(header_.durability, power ? "power" : "process");
      if (auto done = prepare(config_, **rival); !done) return done;
      settle();
    }
    if (is_takeover()) return take_part(run_, process_, **rival);
    auto done = run_writers(run_, process_, **rival, [this] { return meet_the_others(); });
    header_.finished.fetch_add(1);
    return done;
  }

  bool is_takeover() const { return config_.workload == "takeover"; }

  /// Prepared sessions reach the device now, and not while others are measured.
  void settle() {
    if (is_directory_url(config_.store)) {
      const auto directory = directory_of(config_.store);
      const int descriptor = directory ? ::open(directory->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
      if (descriptor >= 0) {
        ::syncfs(descriptor);
        ::close(descriptor);
      }
    }
    header_.prepared.store(1);
  }

  bool meet_the_others() {
    if (!wait_for([this] { return header_.prepared.load() > 0; })) return false;
    header_.ready.fetch_add(1);
    return wait_for([this] { return header_.measure_from.load() != 0; });
  }

  /// False when the run was stopped. Polls: a worker that dies must not leave a mutex locked.
  template <class Condition>
  bool wait_for(Condition condition) {
    while (!condition()) {
      if (header_.stop.load() != 0) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return true;
  }

  const SharedRun& run_;
  const RunConfig& config_;
  RunHeader& header_;
  std::size_t process_;
};

}  // namespace

int run_worker(const std::string& shared_memory, std::size_t process) {
  // Ctrl-C reaches the whole group: the parent decides, and a worker outlives no parent.
  std::signal(SIGINT, SIG_IGN);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    const SharedRun run = SharedRun::attach(shared_memory);
    run.header().attached.fetch_add(1);
    Worker worker(run, process);
    const auto done = worker.work();
    if (done) return 0;
    run.report_failure(done.error().message());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sessile-bench: worker %zu: %s\n", process, error.what());
  }
  return 1;
}

}  // namespace sessile::bench
