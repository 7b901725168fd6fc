#include "verify.hpp"

#include "salvage.hpp"
#include "session_log.hpp"
#include "storage/append_log.hpp"
#include "storage/log_replacement.hpp"
#include "storage/poison_mark.hpp"
#include "storage/quarantine.hpp"
#include "storage/replace_file.hpp"
#include "store.hpp"

#include <algorithm>
#include <set>

namespace sessile::json_directory {

using storage::AppendLog;
using storage::CommitGate;
using storage::conclude;
using storage::Directory;
using storage::FileKind;
using storage::run_on;

namespace {

std::string path_of(const Directory& directory, const std::string& file) {
  return (directory.path() / file).string();
}

std::string key_of(const std::string& name) {
  return id_of_file_name(name).value_or(name);
}

/// What a log adds up to, and where its records end.
class ReadLog {
 public:
  ReadLog() {}
  Replayed state;
  std::uint64_t end = 0;
  bool torn = false;
  bool poisoned = false;
};

Result<ReadLog> read_log(Directory& sessions, const std::string& file, const Limits& limits) {
  auto log = AppendLog::open_to_read(sessions, file);
  if (!log) return log.error();
  auto bytes = log->read_all(log_bytes_limit(limits));
  if (!bytes) return bytes.error();
  auto scan = storage::scan_log(*bytes);
  if (!scan) return scan.error();
  auto state = replay(*scan, limits);
  if (!state) return state.error();
  if (log_name(state->summary.id) != file) {
    return Error(Errc::corrupt, "the log is another session's").with_offset(0);
  }
  ReadLog read;
  read.state = std::move(*state);
  read.end = scan->end;
  read.torn = scan->torn;
  read.poisoned = log->sync_failed();
  return read;
}

}  // namespace

class Verification::Contents {
 public:
  std::set<std::string> logs;
  std::set<std::string> marks;        // logs of which a sync failed
  std::set<std::string> temporaries;  // logs that have such files
};

Async<Verification::Entries> Verification::list(std::shared_ptr<Directory> directory) {
  co_return co_await run_on(run_.pool(), [&directory](CommitGate&) -> Result<Entries> {
    auto listed = directory->list();
    if (listed) return std::move(*listed);
    return storage::system_error(listed.error(), "cannot list the directory", *directory, "");
  });
}

Verification::Contents Verification::sort(const Entries& entries) {
  Contents contents;
  for (const auto& entry : entries) {
    const auto log = name_of_log(entry.name);
    const auto marked = storage::name_of_poison_mark(entry.name);
    const auto written = storage::name_of_temporary(entry.name);
    const auto name = log      ? log
                      : marked ? name_of_log(*marked)
                               : (written ? name_of_log(*written) : std::nullopt);
    if (!name) continue;
    if (entry.kind != FileKind::regular) {
      run_.note(storage::wrong_type(*place_.sessions, entry.name));
    } else {
      (log ? contents.logs : marked ? contents.marks : contents.temporaries).insert(*name);
    }
  }
  return contents;
}

Async<void> Verification::check_all() {
  auto entries = co_await list(place_.sessions);
  if (!entries) co_return entries.error();
  const Contents contents = sort(*entries);
  run_.expect(contents.logs.size());
  if (!place_.locks) {
    auto locks = co_await run_on(run_.pool(), [this](CommitGate&) { return place_.root->info("locks"); });
    if (locks && locks->kind != FileKind::directory) {
      run_.note(storage::wrong_type(*place_.root, "locks"));
    }
  }
  for (const std::string& name : contents.logs) {
    if (auto done = co_await check_session(name); !done) co_return done.error();
  }
  for (const std::string& name : contents.marks) {
    if (auto done = co_await check_mark(name); !done) co_return done.error();
  }
  for (const std::string& name : contents.temporaries) {
    const std::string file = name + std::string(kLogExtension);
    auto swept = co_await run_.sweep(place_.sessions, file, place_.locks, name + ".lock");
    if (!swept) co_return swept.error();
  }
  if (place_.agents) {
    if (auto done = co_await check_agents(); !done) co_return done.error();
  }
  co_return success();
}

Async<void> Verification::check_session(std::string name) {
  auto look_log = [this, &name](bool repair) { return look_at_log(name, repair); };
  if (auto done = co_await run_.check(place_.locks, name + ".lock", look_log); !done) co_return done;
  auto look_entry = [this, &name](bool repair) { return look_at_entry(name, repair); };
  if (auto done = co_await run_.check(place_.locks, name + ".lock", look_entry); !done) co_return done;
  run_.checked();
  co_return success();
}

Verification::Findings Verification::look_at_log(const std::string& name, bool repair) {
  const std::string file = name + std::string(kLogExtension);
  agents_.erase(name);
  told_.erase(name);
  auto read = read_log(*place_.sessions, file, limits_);
  if (!read && read.error().code() == Errc::not_found) return {};
  Finding finding;
  if (!read) {
    finding = Finding(read.error(), path_of(*place_.sessions, file));
    if (finding.kind == FindingKind::unreadable) told_.insert(name);
    if (repair && finding.kind == FindingKind::corrupt) conclude(finding, salvage(file, finding));
  } else {
    agents_[name] = file_name(read->state.summary.agent_id.str());
    if (!read->torn && !read->poisoned) return {};
    finding.path = path_of(*place_.sessions, file);
    finding.kind = read->torn ? FindingKind::torn : FindingKind::unsynced;
    finding.detail = read->torn ? "the last record was not written whole" : "a sync of the log failed";
    if (read->torn) finding.offset = read->end;
    if (repair) {
      Result<void> done = read->torn ? cut(file, finding) : success();
      if (done && read->poisoned) done = settle(file);
      conclude(finding, done);
    }
  }
  finding.key = key_of(name);
  return {std::move(finding)};
}

/// Takes off the last record, which was not written whole.
Result<void> Verification::cut(const std::string& file, Finding& finding) {
  auto copied = storage::Quarantine(*place_.root).copy(*place_.sessions, file, *finding.offset, finding);
  if (!copied) return copied;
  return storage::cut_log(*place_.sessions, file, *finding.offset);
}

Result<void> Verification::settle(const std::string& file) {
  auto summary = read_summary(*place_.sessions, file, limits_);
  if (!summary) return summary.error();
  return SessionWriter(place_, summary->id, stamper_, limits_).settle();
}

Result<void> Verification::salvage(const std::string& file, Finding& finding) {
  auto bytes = storage::read_file(*place_.sessions, file, log_bytes_limit(limits_));
  if (!bytes) return bytes.error();
  const auto salvage = storage::salvage_log(*bytes);
  auto latest = latest_state(salvage, file, limits_);
  if (!latest) return placed(latest.error(), *place_.sessions, file, 0);
  auto copied = storage::Quarantine(*place_.root).copy(*place_.sessions, file, 0, finding);
  if (!copied) return copied;
  CommitGate gate;
  if (!*latest) return storage::remove_log(*place_.sessions, file, Durability::power, gate);
  StoredSession& kept = (*latest)->state.stored;
  Session& session = kept.session;
  const std::uint64_t lost = writes_lost(salvage, (*latest)->seq);
  const StoredState stored(session.revision, session.created_at, session.updated_at);
  Written written = stamper_.next(stored, session, Times::stamp);
  // Above every revision that may have been acknowledged in what is lost, as after a removal.
  const auto now = static_cast<Revision>(stamper_.now().time_since_epoch().count());
  written.revision = std::max(written.revision + lost, now);
  const std::uint64_t bytes_stored = session.stored_bytes;
  Session next = stamped(std::move(session), written);
  next.stored_bytes = bytes_stored;
  const std::uint64_t seq = (*latest)->seq + lost + 1;
  RecordHead head;
  head.summary = summarize(next);
  head.unsettled = true;
  head.synced = true;
  return storage::replace_log(*place_.sessions, file, seq, encode_snapshot(head, next, kept.appends),
                              Durability::power, gate);
}

/// What a look at a log that was read before, or that only an entry names, could not tell. Damage of the log
/// is told of where the log is checked.
Verification::Findings Verification::not_read(const Error& error, const std::string& name) {
  Finding finding(error, error.path().empty() ? path_of(*place_.sessions, name + std::string(kLogExtension))
                                              : error.path());
  const bool gone = error.code() == Errc::not_found;
  if (gone || finding.kind != FindingKind::unreadable || told_.contains(name)) return {};
  finding.key = key_of(name);
  return {std::move(finding)};
}

Verification::Findings Verification::look_at_entry(const std::string& name, bool repair) {
  const std::string file = name + std::string(kLogExtension);
  auto summary = read_summary(*place_.sessions, file, limits_);
  if (!summary) return not_read(summary.error(), name);
  const std::string agent = file_name(summary->agent_id.str());
  agents_[name] = agent;
  if (place_.agents) {
    auto entries = place_.agents->open_directory(agent);
    auto there = entries ? (*entries)->info(name) : storage::SysResult<storage::FileInfo>(entries.error());
    if (there) return {};
    if (there.error() != boost::system::errc::no_such_file_or_directory) {
      return not_read(
          storage::system_error(there.error(), "cannot look for the entry", *place_.agents, agent), name);
    }
  }
  Finding finding(FindingKind::missing_entry, (place_.root->path() / "agents" / agent / name).string());
  finding.key = summary->id.str();
  finding.detail = "the index of its agent lacks the session";
  if (repair) conclude(finding, place_.add_to_index(summary->agent_id, name, Durability::power));
  return {std::move(finding)};
}

Async<void> Verification::check_mark(std::string name) {
  auto look_at = [this, file = name + std::string(kLogExtension)](bool repair) {
    return storage::find_mark_of_none(*place_.sessions, file, repair);
  };
  co_return co_await run_.check(place_.locks, name + ".lock", look_at);
}

/// What is known so far, and what was repaired, is not given up for a directory that cannot be read.
Result<void> Verification::note_or_end(const Error& error) {
  if (error.code() != Errc::io && error.code() != Errc::unavailable) return error;
  run_.note(Finding(error, error.path()));
  return success();
}

Async<void> Verification::check_agents() {
  auto agents = co_await list(place_.agents);
  if (!agents) co_return note_or_end(agents.error());
  for (const auto& agent : *agents) {
    if (agent.kind != FileKind::directory) {
      run_.note(storage::wrong_type(*place_.agents, agent.name));
      continue;
    }
    if (auto done = co_await check_agent(agent.name); !done) co_return done.error();
  }
  co_return success();
}

Async<void> Verification::check_agent(std::string agent) {
  using Opened = std::shared_ptr<Directory>;
  auto entries = co_await run_on(run_.pool(), [this, &agent](CommitGate&) -> Result<Opened> {
    auto opened = place_.agents->open_directory(agent);
    if (opened) return std::move(*opened);
    return storage::system_error(opened.error(), "cannot open the index", *place_.agents, agent);
  });
  if (!entries) co_return note_or_end(entries.error());
  auto listed = co_await list(*entries);
  if (!listed) co_return note_or_end(listed.error());
  for (const auto& entry : *listed) {
    const auto known = agents_.find(entry.name);
    if (entry.kind != FileKind::regular) {
      run_.note(storage::wrong_type(**entries, entry.name));
    } else if (known == agents_.end() || known->second != agent) {
      auto look_at = [this, &entries, &entry](bool repair) {
        return look_for_session(**entries, entry.name, repair);
      };
      if (auto done = co_await run_.check(place_.locks, entry.name + ".lock", look_at); !done) co_return done;
    }
  }
  co_return success();
}

Verification::Findings Verification::look_for_session(Directory& entries, const std::string& name,
                                                      bool repair) {
  auto summary = read_summary(*place_.sessions, name + std::string(kLogExtension), limits_);
  const bool gone = !summary && summary.error().code() == Errc::not_found;
  const bool moved = summary && file_name(summary->agent_id.str()) != entries.path().filename().string();
  if (!summary && !gone) return not_read(summary.error(), name);
  if (!moved && !gone) return {};
  if (const auto there = entries.info(name); !there) {
    if (there.error() == boost::system::errc::no_such_file_or_directory) return {};
    return not_read(storage::system_error(there.error(), "cannot look at the entry", entries, name), name);
  }
  Finding finding(FindingKind::stale_entry, path_of(entries, name));
  finding.key = key_of(name);
  finding.detail =
      gone ? "the session of this entry is gone" : "the session of this entry is another agent's";
  if (repair) {
    conclude(finding, take_out(entries, name, finding));
  }
  return {std::move(finding)};
}

/// An entry is an empty file: one that holds something is somebody's.
Result<void> Verification::take_out(Directory& entries, const std::string& name, Finding& finding) {
  const auto entry = entries.info(name);
  if (!entry) return storage::system_error(entry.error(), "cannot look at the entry", entries, name);
  if (entry->size != 0) return storage::Quarantine(*place_.root).move(entries, name, finding);
  CommitGate gate;
  return storage::remove_file(entries, name, Durability::process, gate);
}

Async<VerifyReport> JsonDirectoryStore::do_verify(VerifyOptions options) {
  const bool repairs = options.repairs();
  VerifyReport early;
  auto open = [this, repairs, &early](CommitGate&) -> Result<PlacePtr> {
    auto place = layout_.open_to_read();
    if (!place && place.error().code() != Errc::unavailable && !place.error().path().empty()) {
      Finding finding(place.error(), place.error().path());
      if (repairs && finding.kind == FindingKind::corrupt) conclude(finding, layout_.renew_marker(finding));
      early.findings.push_back(finding);
      if (!finding.repaired) return PlacePtr();
      place = layout_.open_to_read();
    }
    if (!place || !*place || !repairs) return place;
    return layout_.open_to_write();
  };
  auto place = co_await run_on(get_executor(), std::move(open));
  if (!place) co_return place.error();
  if (!*place) co_return early;
  const bool may_lock = this->options().access() == Access::read_write;
  storage::VerifyRun run(std::move(options), lock_, may_lock, get_executor());
  run.note(std::move(early.findings));
  Verification verification(**place, stamper_, limits(), std::move(run));
  co_return co_await verification.run();
}

}  // namespace sessile::json_directory
