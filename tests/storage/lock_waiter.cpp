// A process that waits for a sidecar's lock for the tests, COUNT times, and notes in LOG each time it had it:
// its name, when it asked and when it was given it, in nanoseconds of the monotonic clock.
//   lock_waiter DIRECTORY SIDECAR ofd|interprocess|flock notify|backoff COUNT LOG NAME [leave]
// With `leave` its main function is at its end before it has the lock.
#include "scratch.hpp"
#include "storage/advisory_lock.hpp"
#include "storage/descriptor.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <chrono>
#include <string>
#include <thread>

namespace {

using namespace sessile;
using namespace std::chrono_literals;

LockOptions options_of(const std::string& primitive, const std::string& waiting) {
  LockOptions options;
  options.timeout(5min);
  if (primitive == "flock") options.primitive(LockPrimitive::flock);
  if (primitive == "interprocess") options.primitive(LockPrimitive::interprocess);
  if (waiting == "backoff") options.waiting(LockWaiting::backoff);
  return options;
}

std::string now() {
  return std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
}

boost::asio::awaitable<bool> note_turns(storage::AdvisoryLock lock, int count, std::string log,
                                        std::string name) {
  const storage::Descriptor file(::open(log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  for (int i = 0; i < count; ++i) {
    const std::string asked = now();
    auto note = [&](storage::CommitGate&) -> Result<bool> {
      const std::string line = name + " " + asked + " " + now() + "\n";
      std::this_thread::sleep_for(200us);
      return ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
    };
    auto noted = co_await lock.run_locked<bool>(lock.deadline(0ms), note);
    if (!noted) {
      noted.error();
      co_return false;
    }
    if (!*noted) co_return false;
  }
  co_return true;
}

}  // namespace

int main(int count, char** words) {
  if (count != 8 && count != 9) return 2;
  auto directory = storage::real_file_system()->open_directory(words[1]);
  if (!directory) return 1;
  storage::AdvisoryLock lock(*directory, words[2], options_of(words[3], words[4]), storage::io_executor());
  if (count == 9) {
    boost::asio::co_spawn(storage::io_executor(), note_turns(lock, std::stoi(words[5]), words[6], words[7]),
                          boost::asio::detached);
    return 0;
  }
  return test::run(note_turns(lock, std::stoi(words[5]), words[6], words[7])) ? 0 : 1;
}
