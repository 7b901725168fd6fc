// A test case of this very program, run in a process of its own.
#pragma once

#include <doctest/doctest.h>

#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace sessile::json_directory::testing {

/// Starts the case that `filter` names, which others skip. It has our environment as it is now.
inline pid_t start_own_child(const std::string& filter) {
  std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::string test = "-tc=" + filter;
  std::string no_skip = "--no-skip";
  char* arguments[] = {program.data(), test.data(), no_skip.data(), nullptr};
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, ::environ) == 0);
  return child;
}

/// Runs it to its end; its exit status.
inline int run_own_child(const std::string& filter) {
  const pid_t child = start_own_child(filter);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

}  // namespace sessile::json_directory::testing
