// Logs: any bytes, damage to a good one, and records of any content.
#include "backends/json_directory/records.hpp"
#include "fuzz/targets.hpp"
#include "storage/append_log.hpp"
#include "storage/log_record.hpp"

#include <sessile/backend.hpp>

#include <fstream>

namespace sessile::fuzz {
namespace {

using json_directory::RecordHead;
using storage::AppendLog;

std::string framed(std::string_view members, std::uint64_t seq) {
  return storage::frame_record(seq, members);
}

/// `members` with the checksum of the head put right, so that what is behind it is reached.
std::string with_right_head(std::string_view members) {
  constexpr std::string_view kHead = ",\"head\":\"";
  std::string right(members);
  const auto at = right.find(kHead);
  if (at != std::string::npos && at + kHead.size() + 8 <= right.size()) {
    right.replace(at + kHead.size(), 8, storage::checksum_text(members.substr(0, at)));
  }
  return right;
}

bool may_refuse(const Error& error) {
  return error.code() == Errc::corrupt || error.code() == Errc::too_large ||
         error.code() == Errc::unsupported;
}

std::shared_ptr<storage::Directory> directory() {
  static const auto opened = storage::real_file_system()->open_directory(scratch_folder()).value();
  return opened;
}

/// Found from the end, the last record is the one that a scan from the start finds, and the log can go on
/// there.
void check_tail(std::string_view bytes, const storage::LogScan& scan) {
  std::ofstream(scratch_folder() + "/log", std::ios::binary) << bytes;
  auto log = AppendLog::open_to_write(*directory(), "log").value();
  auto tail = log.tail(1 << 24);
  require(tail.has_value(), "a log that can be scanned has a tail");
  require(tail->seq == scan.records.back().seq && tail->offset == scan.records.back().offset,
          "the tail is the last record");
  storage::CommitGate gate;
  require(log.append(*tail, "\"a\":1", Durability::process, gate).has_value(), "a log can be appended to");
  const std::string after = log.read_all(1 << 24).value();
  const auto again = storage::scan_log(after);
  require(again.has_value(), "a log that was appended to can be scanned");
  require(again->records.size() == scan.records.size() + 1, "an append adds one record, and loses none");
  require(again->records.back().members == "\"a\":1", "the record that was appended is the last");
  require(!again->torn, "an append leaves nothing torn");
  if (bytes.find("}{") == std::string_view::npos) {
    require(after.find("}{") == std::string::npos, "each record is on a line of its own");
  }
}

}  // namespace

void log_bytes(std::string_view bytes) {
  const auto scan = storage::scan_log(bytes);
  if (!scan) {
    require(scan.error().code() == Errc::corrupt && scan.error().offset().has_value(),
            "a bad log is corrupt, and where");
    return;
  }
  require(!scan->records.empty() && scan->end <= bytes.size(), "a good log has records inside its bytes");
  for (std::size_t i = 1; i < scan->records.size(); ++i)
    require(scan->records[i].seq == scan->records[i - 1].seq + 1, "records are in sequence");
  check_tail(bytes, *scan);
}

/// The bytes say which records there are, and then what happens to the log.
void log_damage(std::string_view bytes) {
  Input input(bytes);
  std::string log;
  std::vector<std::size_t> ends;
  const unsigned count = 1 + input.below(6);
  for (unsigned i = 0; i < count; ++i) {
    const std::string members = "\"m\":\"" + std::string(input.byte() * (input.below(8) + 1), 'x') + "\"";
    log += framed(members, 7 + i);
    ends.push_back(log.size());
  }
  log.append(input.byte() * 8, '\n');
  const std::string good = log;
  const std::size_t at = (input.byte() * 256 + input.byte()) % log.size();
  const unsigned kind = input.below(3);
  if (kind == 0) log.resize(at);
  if (kind == 1) log[at] = static_cast<char>(input.byte());
  if (kind == 2) std::fill(log.begin() + static_cast<std::ptrdiff_t>(at), log.end(), '\n');
  const auto scan = storage::scan_log(log);
  if (!scan) {
    require(scan.error().code() == Errc::corrupt, "damage is corrupt");
    // A write that was cut off is no damage, unless it leaves no record at all.
    require(kind == 1 || at < ends.front(), "a log whose end is missing can be read");
    return;
  }
  // A last byte that became padding is what an append cut one byte short leaves.
  const bool shortened = kind == 1 && (log[at] == '\n' || log[at] == '\0');
  if (kind == 1 && log != good && !shortened) {
    require(at >= ends.back() - 1, "damage to a byte of a record is reported");
  }
  std::size_t whole = 0;
  while (whole < ends.size() && (kind == 1 || ends[whole] - 1 <= at))
    ++whole;
  const std::size_t lost = whole - scan->records.size();
  require(lost == 0 || (lost == 1 && shortened), "every whole record is there, and no other");
  check_tail(log, *scan);
}

/// Each line is the members of a record, rightly framed.
void log_records(std::string_view bytes) {
  Limits limits;
  limits.session_bytes = 1 << 20;
  std::string log;
  std::uint64_t seq = 0;
  for (Input input(bytes); !input.empty();) {
    const std::string members = with_right_head(input.line());
    if (members.empty()) continue;
    json_directory::decode_head(members).ignore();
    log += framed(members, ++seq);
  }
  const auto scan = storage::scan_log(log);
  if (!scan) return scan.ignore();
  const auto state = json_directory::replay(*scan, limits);
  if (!state) return require(may_refuse(state.error()), "replay refuses with a fitting error");
  const Session& session = state->stored.session;
  // A log made by hand may hold what no store writes.
  if (session.revision == 0 || !measure(session, limits).has_value()) return;
  json_directory::RecordHead head;
  head.summary = summarize(session);
  const std::string snapshot =
      framed(json_directory::encode_snapshot(head, session, state->stored.appends), 1);
  const auto again = storage::scan_log(snapshot);
  require(again.has_value(), "a snapshot is a good log");
  const auto replayed = json_directory::replay(*again, limits);
  // As text: a last_active_at of a time of its own is written as updated_at.
  require(replayed.has_value() && encode_session(replayed->stored.session) == encode_session(session),
          "a snapshot holds all of its session");
}

}  // namespace sessile::fuzz
