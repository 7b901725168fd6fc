// Harnesses for the stores of this project, and a doctest case that runs the suite against one.
#pragma once

#include <sessile/conformance.hpp>

#include <filesystem>
#include <functional>
#include <string>

namespace sessile::conformance {

/// `memory:`. Handles see nothing of each other; there is nothing to reopen or corrupt.
Harness memory_harness();

/// The store of `url`, which outlives its handles and reaches other processes; this program is the second
/// one: its main must call run_as_second_process first. There is nothing to corrupt.
Harness shared_harness(std::string url);

/// As shared_harness, for a store whose files are below `dir`. `corrupt` writes garbage over every regular
/// file below `dir` that is named after the id, lock files but for; `discard` removes those files.
Harness url_harness(std::string url, std::filesystem::path dir);

/// Plays the second process when `argv` says so: prints what second_process_main returns, and sets
/// `exit_code`.
bool run_as_second_process(int argc, char** argv, int& exit_code);

/// A directory that is fresh, and removed with all it holds at the end.
class FreshDirectory {
 public:
  FreshDirectory();
  FreshDirectory(const FreshDirectory&) = delete;
  FreshDirectory& operator=(const FreshDirectory&) = delete;
  ~FreshDirectory();
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// Runs the suite, prints a line for each behaviour that did not pass, and checks that none failed and that
/// just those whose reasons begin with one of `may_skip` were skipped.
void check_conformance(const Harness& harness, const std::vector<std::string>& may_skip);

}  // namespace sessile::conformance
