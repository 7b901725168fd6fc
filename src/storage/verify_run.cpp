#include "storage/verify_run.hpp"

#include "storage/poison_mark.hpp"
#include "storage/replace_file.hpp"

#include <algorithm>

namespace sessile::storage {

bool VerifyRun::has_repaired() const {
  return std::any_of(report_.findings.begin(), report_.findings.end(),
                     [](const Finding& finding) { return finding.repaired; });
}

Async<VerifyReport> VerifyRun::report_of(Async<void> looks) {
  try {
    auto done = co_await std::move(looks);
    if (done) co_return std::move(report_);
    if (!has_repaired()) co_return done.error();
  } catch (...) {
    if (!has_repaired()) throw;
  }
  report_.complete = false;
  co_return std::move(report_);
}

Findings find_leftovers(Directory& directory, const std::string& name, bool repair) {
  Findings findings;
  auto entries = directory.list();
  if (!entries) {
    const auto error = system_error(entries.error(), "cannot list the directory", directory, "");
    findings.push_back(Finding(error, directory.path().string()));
    return findings;
  }
  for (const DirectoryEntry& entry : *entries) {
    if (entry.kind != FileKind::regular || !is_temporary_of(entry.name, name)) continue;
    Finding finding(FindingKind::leftover, (directory.path() / entry.name).string());
    finding.detail = "a temporary file whose writer died before it was renamed";
    if (repair) {
      CommitGate gate;
      conclude(finding, remove_file(directory, entry.name, Durability::process, gate));
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

Findings find_mark_of_none(Directory& directory, const std::string& file, bool repair) {
  const std::string mark = poison_mark_of(file);
  // A file that is there is told of with its mark.
  const auto there = directory.info(file);
  const bool gone = !there && there.error() == boost::system::errc::no_such_file_or_directory;
  if (!gone || !directory.info(mark)) return {};
  Finding finding(FindingKind::leftover, (directory.path() / mark).string());
  finding.detail = "a mark of a file that is gone";
  if (repair) {
    CommitGate gate;
    conclude(finding, remove_file(directory, mark, Durability::process, gate));
  }
  return {std::move(finding)};
}

}  // namespace sessile::storage
