#include <sessile/verify.hpp>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace sessile {

namespace {

FindingKind kind_of(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::corrupt:
      return FindingKind::corrupt;
    case Errc::unsupported:
      return FindingKind::newer_format;
    case Errc::too_large:
      return FindingKind::too_large;
    case Errc::locked:
      return FindingKind::busy;
    default:
      break;
  }
  // What opening without following links answers for what is no regular file.
  const int cause = error.cause().value();
  const bool wrong_type = cause == ELOOP || cause == EISDIR || cause == ENXIO || cause == ENOTDIR;
  return wrong_type ? FindingKind::wrong_type : FindingKind::unreadable;
}

std::string detail_of(const Error& error) {
  std::string text = error.detail();
  if (!error.outside_text().empty()) text.append(text.empty() ? "" : ": ").append(error.outside_text());
  if (error.cause()) text.append(text.empty() ? "" : ": ").append(error.cause().message());
  return text.empty() ? std::string(name(error.code())) : text;
}

}  // namespace

std::string_view name(FindingKind kind) noexcept {
  switch (kind) {
    case FindingKind::corrupt:
      return "corrupt";
    case FindingKind::wrong_type:
      return "wrong_type";
    case FindingKind::unreadable:
      return "unreadable";
    case FindingKind::missing_entry:
      return "missing_entry";
    case FindingKind::stale_summary:
      return "stale_summary";
    case FindingKind::torn:
      return "torn";
    case FindingKind::leftover:
      return "leftover";
    case FindingKind::unsynced:
      return "unsynced";
    case FindingKind::stale_entry:
      return "stale_entry";
    case FindingKind::newer_format:
      return "newer_format";
    case FindingKind::too_large:
      return "too_large";
    case FindingKind::busy:
      return "busy";
  }
  return "corrupt";
}

bool is_damage(FindingKind kind) noexcept {
  switch (kind) {
    case FindingKind::corrupt:
    case FindingKind::wrong_type:
    case FindingKind::unreadable:
    case FindingKind::missing_entry:
    case FindingKind::stale_summary:
      return true;
    default:
      return false;
  }
}

Finding::Finding(const Error& error, std::string path_)
    : kind(kind_of(error)), path(std::move(path_)), offset(error.offset()), detail(detail_of(error)) {}

std::string Finding::remedy() const {
  if (repaired) {
    if (quarantine.empty()) return "repaired";
    return "repaired; what was taken out is kept in " + quarantine;
  }
  switch (kind) {
    case FindingKind::corrupt:
      return "repair moves what cannot be read to quarantine and keeps the rest; or restore a backup first";
    case FindingKind::wrong_type:
      return "nothing of this library's: look at it, and remove it by hand";
    case FindingKind::unreadable:
      return "check the permissions and the disk; it is left as it is";
    case FindingKind::missing_entry:
    case FindingKind::stale_summary:
    case FindingKind::stale_entry:
      return "repair makes it anew from the session";
    case FindingKind::torn:
      return "no reader minds, and the next write cuts it; repair moves it to quarantine";
    case FindingKind::leftover:
      return "no reader minds; repair removes it";
    case FindingKind::unsynced:
      return "the next write puts all of it in a new file; repair does so now";
    case FindingKind::newer_format:
      return "upgrade; it is left as it is";
    case FindingKind::too_large:
      return "open with larger limits to have it checked";
    case FindingKind::busy:
      return "run again when its writer is done";
  }
  return {};
}

bool VerifyReport::sound() const noexcept {
  return complete && std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
           return is_damage(finding.kind) && !finding.repaired;
         });
}

void VerifyReport::add(VerifyReport other) {
  checked += other.checked;
  complete = complete && other.complete;
  std::move(other.findings.begin(), other.findings.end(), std::back_inserter(findings));
}

}  // namespace sessile
