#include "bench/measure/processes.hpp"

#include "bench/measure/worker.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

extern char** environ;

namespace sessile::bench {

namespace {

/// Empty for an exit with status 0.
std::string unusual_end(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::string();
  if (WIFSIGNALED(status)) {
    return "a worker process was killed by signal " + std::to_string(WTERMSIG(status)) + " (" +
           ::strsignal(WTERMSIG(status)) + ")";
  }
  return "a worker process ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

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
  running_.push_back({index, pid});
}

bool Processes::all_ended() {
  std::erase_if(running_, [this](const Child& child) {
    int status = 0;
    const pid_t ended = ::waitpid(child.pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
    if (failure_.empty()) failure_ = ended == child.pid ? unusual_end(status) : "a worker process was lost";
    return true;
  });
  return running_.empty();
}

bool Processes::kill(std::size_t index) noexcept {
  const auto child =
      std::find_if(running_.begin(), running_.end(), [index](const Child& c) { return c.index == index; });
  if (child == running_.end()) return false;
  ::kill(child->pid, SIGKILL);
  int status = 0;
  while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  running_.erase(child);
  return WIFSIGNALED(status);
}

void Processes::kill_all() noexcept {
  for (const auto& child : running_)
    ::kill(child.pid, SIGKILL);
  for (const auto& child : running_) {
    while (::waitpid(child.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  running_.clear();
}

}  // namespace sessile::bench
