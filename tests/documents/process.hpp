// Real processes for the tests: this program again, in a role.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace sessile::test {

/// What `documents child ROLE ARGUMENT…` does; returns its exit status.
int run_child(const std::vector<std::string>& words);

/// A process that runs run_child(words).
class Child {
 public:
  explicit Child(const std::vector<std::string>& words);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const noexcept { return pid_; }
  /// The first line it prints, without the line's end.
  std::string line();
  /// Lets it read the end of its input, waits for it, and returns its exit status.
  int finish();
  void kill();

 private:
  int reap();
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
};

}  // namespace sessile::test
