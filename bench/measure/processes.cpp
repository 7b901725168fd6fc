#include "bench/measure/processes.hpp"

#include "bench/measure/worker.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

extern char** environ;

namespace sessile::bench {

Processes::~Processes() {
  kill_all();
}

void Processes::start(const std::string& shared_memory, std::size_t index) {
  std::string program = "sessile-bench";
  std::string argument = kWorkerArgument;
  std::string memory = shared_memory;
  std::string number = std::to_string(index);
  std::array<char*, 5> arguments = {program.data(), argument.data(), memory.data(), number.data(), nullptr};
  pid_t pid = 0;
  // The program itself, whatever it is called: a user's main that registered a scheme does so again there.
  const int fault = ::posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ);
  if (fault != 0) throw std::system_error(fault, std::system_category(), "starting a worker");
  running_.push_back(pid);
}

bool Processes::all_ended() {
  std::erase_if(running_, [this](pid_t pid) {
    int status = 0;
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
    if (ended != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) failed_ = true;
    return true;
  });
  return running_.empty();
}

void Processes::kill_all() noexcept {
  for (const pid_t pid : running_)
    ::kill(pid, SIGKILL);
  for (const pid_t pid : running_) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  running_.clear();
}

}  // namespace sessile::bench
