#include "storage/verify_run.hpp"

#include "storage/replace_file.hpp"

namespace sessile::storage {

std::optional<Finding> find_leftovers(Directory& directory, const std::string& name, bool repair) {
  auto entries = directory.list();
  if (!entries) {
    return Finding(system_error(entries.error(), "cannot list the directory", directory, ""),
                   directory.path().string());
  }
  std::optional<Finding> finding;
  for (const DirectoryEntry& entry : *entries) {
    if (entry.kind != FileKind::regular || !is_temporary_of(entry.name, name)) continue;
    if (!finding) {
      finding.emplace(FindingKind::leftover, (directory.path() / entry.name).string());
      finding->detail = "a temporary file whose writer died before it was renamed";
    }
    if (!repair) continue;
    if (auto removed = directory.remove(entry.name); !removed) {
      finding->failure = system_error(removed.error(), "cannot remove it", directory, entry.name);
    }
  }
  if (finding && repair) finding->repaired = !finding->failure;
  return finding;
}

}  // namespace sessile::storage
