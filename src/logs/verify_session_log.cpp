// The check and the repair of a session's log.
#include "logs/json_lines.hpp"
#include "logs/log_operation.hpp"
#include "logs/session_log_state.hpp"
#include "storage/log_record.hpp"
#include "storage/quarantine.hpp"
#include "storage/replace_file.hpp"
#include "storage/verify_run.hpp"

#include <boost/json/stream_parser.hpp>

#include <algorithm>

namespace sessile {
namespace {

using storage::CommitGate;
using storage::conclude;
using storage::Directory;
using storage::Findings;

/// `part`, which is at `offset` of the file, up to the NULs that stand where sectors did not reach the disk:
/// those to its end, or to a sector's.
std::string_view without_holes(std::string_view part, std::uint64_t offset) noexcept {
  const std::size_t hole = std::min(part.find('\0'), part.size());
  const std::size_t end = std::min(part.find_first_not_of('\0', hole), part.size());
  return end == part.size() || (offset + end) % storage::kSectorBytes == 0 ? part.substr(0, hole) : part;
}

/// True when `part` is what an interrupted write leaves: a beginning of an object that is JSON as far as it
/// goes. A byte that was changed later makes it something else, but for a quote in the place of another.
bool is_torn(std::string_view part, std::uint64_t offset, const Limits& limits) {
  const std::string_view written = without_holes(part, offset);
  if (written.empty()) return true;
  if (written.front() != '{') return false;
  json::parse_options options;
  options.max_depth = limits.depth;
  json::stream_parser parser(json::storage_ptr(), options);
  boost::system::error_code failure;
  parser.write(written.data(), written.size(), failure);
  return !failure && !parser.done();
}

Finding finding_of(const SkippedPart& part, std::string_view text, const std::string& path,
                   const Limits& limits) {
  Finding finding(FindingKind::corrupt, path);
  finding.offset = part.offset;
  finding.detail = "line " + std::to_string(part.line) + ", " + std::to_string(part.bytes) + " bytes: ";
  const std::string_view bytes = text.substr(part.offset, part.bytes);
  if (part.reason == SkipReason::too_large) {
    finding.kind = FindingKind::too_large;
    finding.detail += "over the limit of a turn";
  } else if (is_torn(bytes, part.offset, limits)) {
    finding.kind = FindingKind::torn;
    finding.detail += "a line that was not written whole";
  } else {
    finding.detail += "no JSON";
  }
  return finding;
}

/// `text` without the parts that cannot be read, and the newline of a line of which nothing is left.
std::string without(std::string_view text, const std::vector<SkippedPart>& skipped) {
  std::string kept;
  kept.reserve(text.size());
  std::uint64_t at = 0;
  for (const SkippedPart& part : skipped) {
    if (part.reason != SkipReason::unreadable) continue;
    kept.append(text.substr(at, part.offset - at));
    at = part.offset + part.bytes;
    const bool line_is_empty = kept.empty() || kept.back() == '\n';
    if (line_is_empty && at < text.size() && text[at] == '\n') ++at;
  }
  return kept.append(text.substr(std::min<std::uint64_t>(at, text.size())));
}

Result<void> take_out(Directory& directory, const std::string& name, std::string_view text,
                      const std::vector<SkippedPart>& skipped, Finding& finding) {
  if (auto copied = storage::Quarantine(directory).copy(directory, name, 0, finding); !copied) return copied;
  CommitGate gate;
  return storage::replace_file(directory, name, without(text, skipped), Durability::power, gate);
}

Findings look(Directory& directory, const detail::LogPlace& place, bool repair) {
  const Limits& limits = place.options.limits();
  const std::string path = (directory.path() / place.name).string();
  Findings findings;
  auto text = storage::read_file(directory, place.name, limits.session_bytes);
  if (!text) {
    if (text.error().code() != Errc::not_found) findings.push_back(Finding(text.error(), path));
    return findings;
  }
  const LoadedLog log = detail::read_log(*text, limits);
  for (const SkippedPart& part : log.skipped) {
    if (part.reason != SkipReason::not_a_turn) findings.push_back(finding_of(part, *text, path, limits));
  }
  const auto is_bad = [](const Finding& finding) { return finding.kind != FindingKind::too_large; };
  const auto first = std::find_if(findings.begin(), findings.end(), is_bad);
  if (!repair || first == findings.end()) return findings;
  const auto done = take_out(directory, place.name, *text, log.skipped, *first);
  for (Finding& finding : findings) {
    if (!is_bad(finding)) continue;
    conclude(finding, done);
    finding.quarantine = first->quarantine;
  }
  return findings;
}

}  // namespace

Async<VerifyReport> SessionLog::State::verify(std::shared_ptr<State> state, VerifyOptions options) {
  const detail::LogPlace& place = state->place;
  if (auto checked = place.check(); !checked) co_return checked.error();
  auto open = [&place](CommitGate&) { return place.open_directory(); };
  auto directory = co_await storage::run_on(place.pool, std::move(open));
  if (!directory && directory.error().code() == Errc::not_found) co_return VerifyReport();
  if (!directory) co_return directory.error();
  storage::VerifyRun run(std::move(options), place.options.lock(), true, place.pool);
  auto look_at = [&place, &directory](bool repair) { return look(**directory, place, repair); };
  auto found = co_await run.look(*directory, place.sidecar, std::move(look_at));
  if (!found) co_return found.error();
  run.note(std::move(*found));
  auto swept = co_await run.sweep(*directory, place.name, *directory, place.sidecar);
  if (!swept) co_return swept.error();
  run.checked();
  co_return run.finish();
}

Async<VerifyReport> SessionLog::verify(VerifyOptions options) {
  const auto timeout = options.timeout();
  return detail::run_log_operation("verify", state_->place.file, timeout,
                                   State::verify(state_, std::move(options)));
}

}  // namespace sessile
