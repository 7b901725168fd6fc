// Where one run stores what it stores.
#pragma once

#include "bench/config.hpp"

#include <filesystem>
#include <vector>

namespace sessile::bench {

/// The directory of one run, gone when the object is, with those above it that it made, if empty.
class RunDirectory {
 public:
  RunDirectory() {}
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  ~RunDirectory();

  /// Gives the run a nonce, and, when its store is kept in a directory, one of its own there. Called once.
  Result<void> give(RunConfig& config);

 private:
  Result<void> make(const std::filesystem::path& path);

  std::filesystem::path path_;
  std::vector<std::filesystem::path> made_;  // the lowest first
};

}  // namespace sessile::bench
