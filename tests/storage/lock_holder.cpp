// A process that holds a sidecar's lock for the tests: prints h (held), b (busy) or ! (failed), and ends when
// its standard input does.
#include "storage/file_system.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>

namespace {

sessile::LockPrimitive primitive_of(const std::string& name) {
  if (name == "flock") return sessile::LockPrimitive::flock;
  if (name == "interprocess") return sessile::LockPrimitive::interprocess;
  return sessile::LockPrimitive::open_file_description;
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  auto directory = sessile::storage::real_file_system()->open_directory(words[1]);
  char answer = '!';
  std::unique_ptr<sessile::storage::LockFile> held;
  if (directory) {
    auto lock = (*directory)->try_lock(words[2], primitive_of(words[3]));
    if (lock) {
      held = std::move(*lock);
      answer = 'h';
    } else if (lock.error().value() == EWOULDBLOCK) {
      answer = 'b';
    }
  }
  if (::write(STDOUT_FILENO, &answer, 1) != 1) return 1;
  char end = 0;
  while (::read(STDIN_FILENO, &end, 1) > 0) {
  }
  return 0;
}
