// The worker processes of one run.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace sessile::bench {

/// Children that run this program again as workers. None outlives the object.
class Processes {
 public:
  Processes() {}
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  /// Starts worker `index` of the run in that shared memory. Throws std::system_error.
  void start(const std::string& shared_memory, std::size_t index);
  /// Collects those that have ended. True when all have.
  bool all_ended();
  /// True when one ended in another way than with status 0.
  bool any_failed() const noexcept { return !failure_.empty(); }
  /// How the first of those ended, for people; empty when there is none.
  const std::string& failure() const noexcept { return failure_; }
  /// kill -9 of worker `index`, and waits for its end, which is no failure. False: it had ended before.
  bool kill(std::size_t index) noexcept;
  void kill_all() noexcept;

 private:
  class Child {
   public:
    std::size_t index;
    pid_t pid;
  };
  std::vector<Child> running_;
  std::string failure_;
};

}  // namespace sessile::bench
