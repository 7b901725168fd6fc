#include "scratch.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

extern char** environ;

namespace sessile::test {

std::shared_ptr<storage::Directory> Scratch::open() const {
  return storage::real_file_system()->open_directory(path()).value();
}

std::shared_ptr<storage::Directory> Scratch::make(std::string_view name) const {
  return storage::open_or_make_directory(*storage::real_file_system(), path() / name).value();
}

std::vector<std::string> Scratch::names(const std::filesystem::path& path) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void write(const std::filesystem::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) throw std::runtime_error("lstat failed");
  return status.st_mode & 07777;
}

std::size_t open_descriptors() {
  return Scratch::names("/proc/self/fd").size();
}

Umask::Umask(unsigned mask) : before_(::umask(mask)) {}
Umask::~Umask() {
  ::umask(before_);
}

Holder::Holder(const std::filesystem::path& directory, std::string_view sidecar, std::string_view primitive,
               std::string_view how) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::vector<std::string> words{SESSILE_LOCK_HOLDER, directory.string(), std::string(sidecar),
                                 std::string(primitive), std::string(how)};
  std::vector<char*> arguments;
  for (auto& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int failed = ::posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  stdin_ = in[1];
  char answer = '?';
  const bool answered = failed == 0 && ::read(out[0], &answer, 1) == 1;
  ::close(out[0]);
  if (!answered || answer == '!') throw std::runtime_error("the lock's holder did not start");
  holds_ = answer == 'h';
}

Holder::~Holder() {
  release();
}

void Holder::release() {
  if (stdin_ >= 0) ::close(std::exchange(stdin_, -1));
  reap();
}

void Holder::kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
  reap();
}

void Holder::unlock_but_keep_open() {
  if (::write(stdin_, "u", 1) != 1) throw std::runtime_error("the lock's holder is gone");
}

void Holder::reap() {
  if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), nullptr, 0);
}

Program::Program(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (auto& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (::posix_spawn(&pid_, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0) {
    throw std::runtime_error("cannot start " + words[0]);
  }
}

Program::~Program() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  wait();
}

void Program::signal(int number) {
  ::kill(pid_, number);
  // Until its last thread has stopped it may still do anything.
  int status = 0;
  if (number == SIGSTOP) ::waitpid(pid_, &status, WUNTRACED);
}

int Program::wait() {
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool lockable_elsewhere(const std::filesystem::path& directory, std::string_view sidecar,
                        std::string_view primitive) {
  return Holder(directory, sidecar, primitive).holds();
}

}  // namespace sessile::test
