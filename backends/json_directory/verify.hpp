// The check and the repair of a directory of logs and its index.
#pragma once

#include "layout.hpp"
#include "records.hpp"
#include "storage/verify_run.hpp"

#include <sessile/backend.hpp>

#include <map>

namespace sessile::json_directory {

/// Reads every log whole and compares the index with what the logs say. Used once.
class Verification {
 public:
  /// `place` and `stamper` must outlive it; `place` was opened to write when `run` repairs.
  Verification(const Place& place, const Stamper& stamper, const Limits& limits, storage::VerifyRun run)
      : place_(place), stamper_(stamper), limits_(limits), run_(std::move(run)) {}

  Async<VerifyReport> run() { return run_.report_of(check_all()); }

 private:
  using Findings = storage::Findings;
  using Entries = std::vector<storage::DirectoryEntry>;
  /// What is in `sessions`.
  class Contents;

  Async<void> check_all();
  Async<Entries> list(std::shared_ptr<storage::Directory> directory);
  Contents sort(const Entries& entries);
  Async<void> check_session(std::string name);
  Async<void> check_mark(std::string name);
  Async<void> check_agents();
  Async<void> check_agent(std::string agent);
  // These block. With `repair` they are called under the session's lock.
  Findings look_at_log(const std::string& name, bool repair);
  Findings look_at_entry(const std::string& name, bool repair);
  Findings look_for_session(storage::Directory& entries, const std::string& name, bool repair);
  Result<void> note_or_end(const Error& error);
  Findings not_read(const Error& error, const std::string& name);
  Result<void> salvage(const std::string& log, Finding& finding);
  Result<void> cut(const std::string& log, Finding& finding);
  Result<void> take_out(storage::Directory& entries, const std::string& name, Finding& finding);
  Result<void> settle(const std::string& log);

  const Place& place_;
  const Stamper& stamper_;
  const Limits limits_;
  storage::VerifyRun run_;
  /// The agents' directories of the sessions that could be read.
  std::map<std::string, std::string> agents_;
  /// The sessions whose log could not be read, and was told of.
  std::set<std::string> told_;
};

}  // namespace sessile::json_directory
