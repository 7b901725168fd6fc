#include "subject.hpp"

#include <sessile/error.hpp>

namespace sessile::crash {

bool matches(const State& expected, const State& found) {
  if (!expected.ends_with("@?")) return expected == found;
  const std::size_t mark = found.rfind('@');
  return mark != State::npos && expected.substr(0, expected.size() - 1) == found.substr(0, mark + 1);
}

std::vector<std::unique_ptr<Subject>> make_subjects() {
  std::vector<std::unique_ptr<Subject>> subjects;
  subjects.push_back(make_filesystem_subject());
  subjects.push_back(make_json_directory_subject());
  subjects.push_back(make_document_subject());
  subjects.push_back(make_memory_subject(Durability::power));
  subjects.push_back(make_memory_subject(Durability::process));
  subjects.push_back(make_session_log_subject(Durability::power));
  subjects.push_back(make_session_log_subject(Durability::process));
  return subjects;
}

void set_failure(Effect& effect, const Error& error) {
  effect.outcome = error.code() == Errc::indeterminate ? Outcome::indeterminate : Outcome::failed;
  effect.code = error.code();
  effect.error = error.message();
}

std::vector<std::string> temporary_files(const Disk& disk) {
  std::vector<std::string> found;
  for (const auto& [path, content] : files_of(disk)) {
    if (path.find(".tmp.", path.rfind('/')) != std::string::npos) found.push_back(path);
  }
  return found;
}

std::string damage_in(const Result<VerifyReport>& report) {
  if (!report) return "verify: " + report.error().message();
  for (const Finding& finding : report->findings) {
    if (is_damage(finding.kind)) {
      return "verify: " + std::string(sessile::name(finding.kind)) + ": " + finding.path + ": " +
             finding.detail;
    }
  }
  return {};
}

}  // namespace sessile::crash
