// The check and the repair of a session's log.
#include "logs/json_lines.hpp"
#include "logs/log_operation.hpp"
#include "logs/session_log_state.hpp"
#include "storage/log_record.hpp"
#include "storage/poison_mark.hpp"
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
std::string readable_parts(std::string_view text, const Limits& limits) {
  std::string kept;
  kept.reserve(text.size());
  std::uint64_t at = 0;
  const auto leave_out = [&](const SkippedPart& part) {
    if (part.reason != SkipReason::unreadable) return;
    kept.append(text.substr(at, part.offset - at));
    at = part.offset + part.bytes;
    const bool line_is_empty = kept.empty() || kept.back() == '\n';
    if (line_is_empty && at < text.size() && text[at] == '\n') ++at;
  };
  detail::read_json_lines(
      text, limits, [](json::value, const SkippedPart&) {}, leave_out);
  return kept.append(text.substr(std::min<std::uint64_t>(at, text.size())));
}

/// What cannot be read of a log: the first parts one by one, of the others their number.
class Unreadable {
 public:
  Unreadable(std::string_view text, const std::string& path, const Limits& limits)
      : text_(text), path_(path), limits_(limits) {}

  void add(const SkippedPart& part) {
    if (part.reason == SkipReason::not_a_turn) return;
    if (findings_.size() < kMostFindings) return findings_.push_back(finding_of(part, text_, path_, limits_));
    ++(part.reason == SkipReason::too_large ? more_too_large_ : more_unreadable_);
  }
  Findings findings() {
    add_more(FindingKind::corrupt, more_unreadable_, " more that are no JSON or were not written whole");
    add_more(FindingKind::too_large, more_too_large_, " more that are over the limit of a turn");
    return std::move(findings_);
  }

 private:
  static constexpr std::size_t kMostFindings = 1000;

  void add_more(FindingKind kind, std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    Finding finding(kind, path_);
    finding.detail = std::to_string(count).append(what);
    findings_.push_back(std::move(finding));
  }

  const std::string_view text_;
  const std::string& path_;
  const Limits& limits_;
  Findings findings_;
  std::uint64_t more_unreadable_ = 0;
  std::uint64_t more_too_large_ = 0;
};

Result<void> take_out(Directory& directory, const std::string& name, std::string_view text,
                      const Limits& limits, Finding& finding) {
  if (auto copied = storage::Quarantine(directory).copy(directory, name, 0, finding); !copied) return copied;
  CommitGate gate;
  auto replaced =
      storage::replace_file(directory, name, readable_parts(text, limits), Durability::power, gate);
  if (replaced) storage::clear_poison(directory, name);
  return replaced;
}

Findings look(Directory& directory, const detail::LogPlace& place, bool repair) {
  const Limits& limits = place.options.limits();
  const std::string path = (directory.path() / place.name).string();
  auto text = storage::read_file(directory, place.name, limits.session_bytes);
  if (!text) {
    if (text.error().code() == Errc::not_found) return {};
    return {Finding(text.error(), path)};
  }
  Unreadable unreadable(*text, path, limits);
  detail::read_log(*text, limits, [&unreadable](const SkippedPart& part) { unreadable.add(part); });
  Findings findings = unreadable.findings();
  const auto is_bad = [](const Finding& finding) { return finding.kind != FindingKind::too_large; };
  const auto first = std::find_if(findings.begin(), findings.end(), is_bad);
  if (!repair || first == findings.end()) return findings;
  const auto done = take_out(directory, place.name, *text, limits, *first);
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
  auto open = [&state](CommitGate&) {
    auto opened = state->directory_to_read();
    if (opened && state->let_go_if_deleted(*opened)) opened = state->directory_to_read();
    return opened;
  };
  auto directory = co_await storage::run_on(place.pool, std::move(open));
  if (!directory && directory.error().code() == Errc::not_found) co_return VerifyReport();
  if (!directory) co_return directory.error();
  storage::VerifyRun run(std::move(options), place.options.lock(), true, place.pool);
  auto look_at = [&place, &directory](bool repair) { return look(**directory, place, repair); };
  std::vector<std::string> names{place.name};
  co_return co_await run.report_of(
      run.check_log(*directory, place.sidecar, std::move(names), std::move(look_at)));
}

Async<VerifyReport> SessionLog::verify(VerifyOptions options) {
  const auto timeout = options.timeout();
  return detail::run_log_operation("verify", state_->place.file, timeout,
                                   State::verify(state_, std::move(options)));
}

}  // namespace sessile
