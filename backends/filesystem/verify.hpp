// The check and the repair of a directory of session files.
#pragma once

#include "storage/verify_run.hpp"

#include <sessile/capabilities.hpp>

#include <set>

namespace sessile::filesystem {

/// Reads every session's file whole, and judges and repairs under its lock. Used once.
class Verification {
 public:
  Verification(std::shared_ptr<storage::Directory> directory, const Limits& limits, storage::VerifyRun run)
      : directory_(std::move(directory)), limits_(limits), run_(std::move(run)) {}

  Async<VerifyReport> run() { return run_.report_of(check_all()); }

 private:
  using Findings = storage::Findings;
  Async<void> check_all();
  Async<void> check_file(std::string file);
  // These block.
  Findings look(const std::string& file);
  Findings look_and_repair(const std::string& file, bool repair);
  Result<void> rewrite(const std::string& file, Finding& finding);

  const std::shared_ptr<storage::Directory> directory_;
  const Limits limits_;
  storage::VerifyRun run_;
};

}  // namespace sessile::filesystem
