#include "process.hpp"

#include <sessile/daemon_state.hpp>
#include <sessile/wait.hpp>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <stdexcept>

extern char** environ;

namespace sessile::test {
namespace {

using namespace std::chrono_literals;

DocumentStore open(const std::string& base) {
  auto patient = LockOptions().timeout(5min);
  return open_documents(base, DocumentStoreOptions().durability(Durability::process).lock(patient)).value();
}

/// Adds one to the field `key` of the document `count`, `times` times.
int count_up(const std::string& base, const std::string& key, int times) {
  const DocumentStore documents = open(base);
  for (int i = 0; i < times; ++i) {
    const auto add = DocumentEdit::change([key](json::value& document) {
      json::value& number = document.as_object()[key];
      number = number.is_null() ? 1 : number.as_int64() + 1;
    });
    blocking::wait(documents.update_json("shared", "count", add)).value();
  }
  return 0;
}

/// Asks for every flag, starting at another place than the others, and prints which it got.
int take_flags(const std::string& base, int flags, int start) {
  const DaemonState state(open(base), "daemon", "state");
  std::string got;
  for (int i = 0; i < flags; ++i) {
    const auto id = "session-" + std::to_string((start + i) % flags);
    const FirstTurn turn = blocking::wait(state.consume_first_turn(id)).value();
    if (turn.not_saved) return 1;
    if (turn.first) got += id + " ";
  }
  std::puts(got.c_str());
  std::fflush(stdout);
  return 0;
}

/// Holds a category's lock until its input ends.
int hold(const std::string& base, const std::string& category) {
  const DocumentLock lock = blocking::wait(open(base).lock(category)).value();
  std::puts("held");
  std::fflush(stdout);
  char end = 0;
  while (::read(STDIN_FILENO, &end, 1) > 0) {
  }
  return 0;
}

/// Saves the same document over and over, until it is killed.
int save_forever(const std::string& base) {
  const DocumentStore documents = open(base);
  const std::string filler(100'000, 'x');
  for (std::int64_t i = 0;; ++i) {
    const json::value value = {{"number", i}, {"filler", filler}, {"again", i}};
    blocking::wait(documents.save_json("shared", "killed", value)).value();
    if (i == 0) {
      std::puts("saving");
      std::fflush(stdout);
    }
  }
}

}  // namespace

int run_child(const std::vector<std::string>& words) {
  const std::string& role = words.at(0);
  if (role == "count") return count_up(words.at(1), words.at(2), std::stoi(words.at(3)));
  if (role == "flags") return take_flags(words.at(1), std::stoi(words.at(2)), std::stoi(words.at(3)));
  if (role == "hold") return hold(words.at(1), words.at(2));
  if (role == "save") return save_forever(words.at(1));
  return 2;
}

Child::Child(const std::vector<std::string>& words) {
  int input[2];
  int output[2];
  if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  std::vector<std::string> arguments = {"documents", "child"};
  arguments.insert(arguments.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  for (std::string& argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  const int failed = ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(input[0]);
  ::close(output[1]);
  input_ = input[1];
  output_ = output[0];
  if (failed != 0) throw std::runtime_error("posix_spawn");
}

Child::~Child() {
  if (pid_ > 0) kill();
  ::close(output_);
}

std::string Child::line() {
  std::string text;
  char next = 0;
  while (::read(output_, &next, 1) == 1 && next != '\n')
    text += next;
  return text;
}

int Child::reap() {
  if (input_ >= 0) ::close(input_);
  input_ = -1;
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return -1;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int Child::finish() {
  return reap();
}

void Child::kill() {
  ::kill(pid_, SIGKILL);
  reap();
}

}  // namespace sessile::test
