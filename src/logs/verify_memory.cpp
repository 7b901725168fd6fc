// The check and the repair of a memory's file.
#include "logs/log_access.hpp"
#include "logs/log_operation.hpp"
#include "logs/memory_file.hpp"
#include "storage/log_replacement.hpp"
#include "storage/quarantine.hpp"
#include "storage/replace_file.hpp"
#include "storage/verify_run.hpp"

#include <algorithm>

namespace sessile {
namespace detail {
namespace {

using storage::AppendLog;
using storage::CommitGate;
using storage::conclude;
using storage::Directory;
using storage::Findings;

/// What a memory's file holds, and where its records end.
class ReadMemory {
 public:
  ReadMemory() {}
  MemoryContent content;
  std::uint64_t end = 0;
  std::uint64_t seq = 0;
  bool torn = false;
  bool poisoned = false;
};

Result<ReadMemory> read_memory(Directory& directory, const LogPlace& place) {
  ReadMemory memory;
  auto log = AppendLog::open_to_read(directory, place.name);
  if (!log) return log.error();
  auto bytes = log->read_all(memory_bytes_limit(place.options.limits()));
  if (!bytes) return bytes.error();
  if (bytes->empty()) return memory;
  auto scan = storage::scan_log(*bytes);
  if (!scan) return scan.error();
  auto content = replay(scan->records, memory_record_limits(place.options.limits()));
  if (!content) return content.error();
  memory.content = std::move(*content);
  memory.end = scan->end;
  memory.seq = scan->records.back().seq;
  memory.torn = scan->torn;
  memory.poisoned = log->sync_failed();
  return memory;
}

/// All items of which a record can be read. Errors: too_large, unsupported: of good records, so it is not for
/// a repair to drop them.
Result<ReadMemory> salvaged(std::string_view bytes, const Limits& limits) {
  const auto salvage = storage::salvage_log(bytes);
  ReadMemory memory;
  std::uint64_t lost = salvage.lost;
  for (const auto& run : salvage.runs) {
    if (memory.seq != 0 && run.front().seq > memory.seq + 1) lost += run.front().seq - memory.seq - 1;
    memory.seq = std::max(memory.seq, run.back().seq);
    for (const storage::LogRecord& record : run) {
      const auto applied = apply_record(memory.content, record, limits);
      // One that is no record of a memory has nothing to say here.
      if (!applied && applied.error().code() != Errc::corrupt) return applied.error();
    }
  }
  // Each lost record may have been one that gave out an id.
  memory.content.highest_id = std::min(memory.content.highest_id + lost, kMaxMemoryId);
  memory.seq += lost;
  return memory;
}

Result<void> salvage(Directory& directory, const LogPlace& place, Finding& finding) {
  const Limits& limits = place.options.limits();
  auto bytes = storage::read_file(directory, place.name, memory_bytes_limit(limits));
  if (!bytes) return bytes.error();
  const auto memory = salvaged(*bytes, memory_record_limits(limits));
  if (!memory) return memory.error();
  if (auto copied = storage::Quarantine(directory).copy(directory, place.name, 0, finding); !copied) {
    return copied;
  }
  CommitGate gate;
  return storage::replace_log(directory, place.name, memory->seq + 1, snapshot_members(memory->content),
                              Durability::power, gate);
}

Result<void> mend(Directory& directory, const LogPlace& place, const ReadMemory& memory, Finding& finding) {
  if (memory.torn) {
    auto copied = storage::Quarantine(directory).copy(directory, place.name, memory.end, finding);
    if (!copied) return copied;
    if (!memory.poisoned) return storage::cut_log(directory, place.name, memory.end);
  }
  CommitGate gate;
  return storage::replace_log(directory, place.name, memory.seq + 1, snapshot_members(memory.content),
                              Durability::power, gate);
}

Findings look(Directory& directory, const LogPlace& place, bool repair) {
  const std::string path = (directory.path() / place.name).string();
  auto memory = read_memory(directory, place);
  if (!memory) {
    if (memory.error().code() == Errc::not_found) return {};
    Finding finding(memory.error(), path);
    if (repair && finding.kind == FindingKind::corrupt) conclude(finding, salvage(directory, place, finding));
    return {std::move(finding)};
  }
  if (!memory->torn && !memory->poisoned) return {};
  Finding finding(memory->torn ? FindingKind::torn : FindingKind::unsynced, path);
  finding.detail = memory->torn ? "the last record was not written whole" : "a sync of the memory failed";
  if (memory->torn) finding.offset = memory->end;
  if (repair) conclude(finding, mend(directory, place, *memory, finding));
  return {std::move(finding)};
}

Async<VerifyReport> verify_body(std::shared_ptr<const LogPlace> place, VerifyOptions options) {
  if (auto checked = place->check(); !checked) co_return checked.error();
  auto open = [place](CommitGate&) { return place->open_directory(); };
  auto directory = co_await storage::run_on(place->pool, std::move(open));
  if (!directory && directory.error().code() == Errc::not_found) co_return VerifyReport();
  if (!directory) co_return directory.error();
  storage::VerifyRun run(std::move(options), place->options.lock(), true, place->pool);
  auto look_at = [place, &directory](bool repair) { return look(**directory, *place, repair); };
  std::vector<std::string> names{place->name, holder_file(*place)};
  co_return co_await run.report_of(
      run.check_log(*directory, place->sidecar, std::move(names), std::move(look_at)));
}

}  // namespace

Async<VerifyReport> LogAccess::verify_memory(std::shared_ptr<storage::FileSystem> files,
                                             std::filesystem::path file, VerifyOptions options,
                                             LogOptions log) {
  const auto timeout = options.timeout();
  auto place = std::make_shared<const LogPlace>(std::move(files), file, std::move(log));
  return run_log_operation("verify", std::move(file), timeout,
                           verify_body(std::move(place), std::move(options)));
}

}  // namespace detail

Async<VerifyReport> MemoryLog::verify(std::filesystem::path file, VerifyOptions options, LogOptions log) {
  return detail::LogAccess::verify_memory(storage::real_file_system(), std::move(file), std::move(options),
                                          std::move(log));
}

}  // namespace sessile
