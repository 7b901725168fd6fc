#include "storage/verify_run.hpp"

#include "storage/replace_file.hpp"

namespace sessile::storage {

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

}  // namespace sessile::storage
