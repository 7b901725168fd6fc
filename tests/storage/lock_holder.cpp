// A process that holds a sidecar's lock for the tests: prints h (held), b (busy) or ! (failed), and ends when
// its standard input does.
//   lock_holder DIRECTORY SIDECAR ofd|interprocess|flock|plain-flock [fork|exec|keep]
// plain-flock: as a program does that knows nothing of Sessile. fork, exec: then leaves a child behind that
// ends with the standard input, too. keep: frees a plain flock at the first byte read, its descriptor open.
#include "storage/descriptor.hpp"

#include <spawn.h>
#include <sys/file.h>

#include <cerrno>
#include <string>

extern char** environ;

namespace {

using namespace sessile::storage;

sessile::LockPrimitive primitive_of(const std::string& name) {
  if (name == "flock") return sessile::LockPrimitive::flock;
  if (name == "interprocess") return sessile::LockPrimitive::interprocess;
  return sessile::LockPrimitive::open_file_description;
}

class Held {
 public:
  char take(const std::string& directory, const std::string& sidecar, const std::string& primitive) {
    if (primitive == "plain-flock") return take_plain(directory + "/" + sidecar);
    auto opened = real_file_system()->open_directory(directory);
    if (!opened) return '!';
    auto lock = (*opened)->try_lock(sidecar, primitive_of(primitive));
    if (!lock) return lock.error().value() == EWOULDBLOCK ? 'b' : '!';
    lock_ = std::move(*lock);
    return 'h';
  }
  void unlock_but_keep_open() { ::flock(plain_.get(), LOCK_UN); }

 private:
  char take_plain(const std::string& path) {
    plain_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!plain_) return '!';
    if (::flock(plain_.get(), LOCK_EX | LOCK_NB) == 0) return 'h';
    return errno == EWOULDBLOCK ? 'b' : '!';
  }

  std::unique_ptr<LockFile> lock_;
  Descriptor plain_;
};

void wait_for_end_of_input() {
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

bool leave_child_behind(const std::string& how) {
  if (how == "fork") {
    const auto child = ::fork();
    if (child != 0) return child > 0;
    wait_for_end_of_input();
    ::_exit(0);
  }
  if (how == "exec") {
    std::string program = "/bin/cat";
    char* words[] = {program.data(), nullptr};
    pid_t child = 0;
    return ::posix_spawn(&child, program.c_str(), nullptr, nullptr, words, environ) == 0;
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  if (count < 4) return 2;
  const std::string how = count > 4 ? words[4] : "";
  Held held;
  char answer = held.take(words[1], words[2], words[3]);
  if (!leave_child_behind(how)) answer = '!';
  if (::write(STDOUT_FILENO, &answer, 1) != 1) return 1;
  char byte = 0;
  if (how == "keep" && ::read(STDIN_FILENO, &byte, 1) == 1) held.unlock_but_keep_open();
  wait_for_end_of_input();
  return 0;
}
