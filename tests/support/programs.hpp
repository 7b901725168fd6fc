// Other programs for a test: started, waited for, what they print.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace sessile::testing {

/// What became of a program.
class Ended {
 public:
  Ended() {}
  int code = -1;    ///< its exit code; 128 + the signal that killed it
  std::string out;  ///< what it printed on stdout
};

/// How a program is started.
class ProgramOptions {
 public:
  ProgramOptions() {}
  std::filesystem::path log;  ///< stderr, and stdout where nobody reads it, are added to it; empty: dropped
  int input = -1;             ///< the descriptor that becomes stdin; -1: /dev/null
  int output = -1;            ///< the descriptor that becomes stdout; -1: as stderr
  bool own_session = false;   ///< out of reach of the terminal's signals
};

/// Starts `words` (found along PATH), without the PG* variables of our environment: they would change what
/// PostgreSQL's programs connect to. No descriptor but the three is inherited. Throws std::runtime_error.
pid_t start_program(const std::vector<std::string>& words, const ProgramOptions& options);

/// Waits for a child; the code as in Ended.
int wait_for_program(pid_t child);

/// Starts it, reads what it prints and waits for it.
Ended run_program(const std::vector<std::string>& words, const std::filesystem::path& log);

}  // namespace sessile::testing
