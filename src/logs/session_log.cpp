#include "logs/line_file.hpp"
#include "logs/log_access.hpp"
#include "logs/log_operation.hpp"
#include "logs/session_log_state.hpp"
#include "storage/advisory_lock.hpp"
#include "storage/replace_file.hpp"

#include <sessile/json.hpp>

#include <algorithm>

namespace sessile {

using storage::CommitGate;

std::string_view name(SkipReason reason) noexcept {
  switch (reason) {
    case SkipReason::unreadable:
      return "unreadable";
    case SkipReason::not_a_turn:
      return "not_a_turn";
    case SkipReason::too_large:
      return "too_large";
  }
  return "unreadable";
}

LoadedLog detail::read_log(std::string_view text, const Limits& limits, const VisitSkipped& skip) {
  LoadedLog log;
  bool has_meta = false;
  const auto leave_out = [&skip](SkippedPart place) {
    place.reason = SkipReason::not_a_turn;
    skip(place);
  };
  const auto visit = [&](json::value value, const SkippedPart& place) {
    json::object* object = value.if_object();
    if (object == nullptr) return leave_out(place);
    if (object->contains("role") && object->contains("content")) {
      auto turn = message_from_json(std::move(value), Origin::stored);
      if (!turn) return leave_out(place);
      log.turns.push_back(std::move(*turn));
      return;
    }
    json::value* header = object->if_contains("meta");
    if (has_meta || header == nullptr || !header->is_object()) return leave_out(place);
    has_meta = true;
    log.meta = std::move(header->get_object());
  };
  read_json_lines(text, limits, visit, skip);
  return log;
}

namespace {

/// So often a directory that was deleted is looked for anew.
constexpr int kAttempts = 3;

LoadedLog read_with_skipped(std::string_view text, const Limits& limits) {
  std::vector<SkippedPart> first;
  std::uint64_t count = 0;
  auto log = detail::read_log(text, limits, [&](const SkippedPart& part) {
    if (++count <= LoadedLog::kMostSkipped) first.push_back(part);
  });
  log.skipped = std::move(first);
  log.skipped_count = count;
  return log;
}

std::string header_line(const json::object& meta) {
  std::string line = "{\"meta\":";
  write_json(line, meta);
  return line + '}';
}

Async<void> refused(Error error) {
  co_return error;
}

/// A header is JSON like any content, so it is checked as a message's content is.
Result<void> check_meta(const json::object& meta, const Limits& limits) {
  auto measured = measure(Message("meta", meta), limits);
  if (!measured) return measured.error();
  return success();
}

}  // namespace

SessionLog::State::State(std::shared_ptr<storage::FileSystem> files, std::filesystem::path file,
                         json::object meta_, LogOptions options)
    : place(std::move(files), std::move(file), std::move(options)), meta(std::move(meta_)) {}

SessionLog::State::DirectoryPtr SessionLog::State::kept() {
  const std::lock_guard lock(mutex_);
  return directory_;
}

Async<SessionLog::State::DirectoryPtr> SessionLog::State::directory_to_write() {
  if (auto known = kept()) co_return known;
  auto open = [this](CommitGate&) { return place.make_directory(); };
  auto opened = co_await storage::run_on(place.pool, std::move(open));
  if (opened) {
    const std::lock_guard lock(mutex_);
    directory_ = *opened;
  }
  co_return opened;
}

Result<SessionLog::State::DirectoryPtr> SessionLog::State::directory_to_read() {
  if (auto known = kept()) return known;
  return place.open_directory();
}

void SessionLog::State::let_go(const DirectoryPtr& directory) {
  const std::lock_guard lock(mutex_);
  if (directory_ == directory) directory_.reset();
}

bool SessionLog::State::let_go_if_deleted(const DirectoryPtr& directory) {
  if (!directory->deleted()) return false;
  let_go(directory);
  return true;
}

Async<void> SessionLog::State::append(std::shared_ptr<State> state, std::string line) {
  const detail::LogPlace& place = state->place;
  Result<void> checked = place.check();
  if (checked) checked = check_meta(state->meta, place.options.limits());
  if (!checked) co_return checked;
  const std::string header = header_line(state->meta);
  detail::LineToAppend what;
  what.header = header;
  what.line = line;
  what.durability = place.options.durability();
  what.size_limit = place.options.limits().session_bytes;
  std::optional<storage::Deadline> deadline;
  Result<void> appended;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto directory = co_await state->directory_to_write();
    if (!directory) co_return directory.error();
    storage::AdvisoryLock lock(*directory, place.sidecar, place.options.lock(), place.pool);
    if (!deadline) deadline = lock.deadline(place.options.timeout());
    auto work = [&](CommitGate& gate) { return detail::append_line(**directory, place.name, what, gate); };
    appended = co_await lock.run_locked<void>(*deadline, std::move(work));
    if (appended || !storage::directory_is_gone(appended.error())) co_return appended;
    state->let_go(*directory);
  }
  co_return appended;
}

Async<LoadedLog> SessionLog::State::load(std::shared_ptr<State> state) {
  const detail::LogPlace& place = state->place;
  if (auto checked = place.check(); !checked) co_return checked.error();
  auto work = [&place, &state](CommitGate&) -> Result<LoadedLog> {
    const Limits& limits = place.options.limits();
    for (int attempt = 0;; ++attempt) {
      auto directory = state->directory_to_read();
      if (!directory) return directory.error();
      auto text = storage::read_file(**directory, place.name, limits.session_bytes);
      if (text) return read_with_skipped(*text, limits);
      const bool again = attempt < kAttempts && text.error().code() == Errc::not_found &&
                         state->let_go_if_deleted(*directory);
      if (!again) return text.error();
    }
  };
  auto loaded = co_await storage::run_on(place.pool, std::move(work));
  co_return loaded;
}

SessionLog::SessionLog(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

SessionLog detail::LogAccess::session_log(std::shared_ptr<storage::FileSystem> files,
                                          std::filesystem::path file, json::object meta, LogOptions options) {
  return SessionLog(std::make_shared<SessionLog::State>(std::move(files), std::move(file), std::move(meta),
                                                        std::move(options)));
}

SessionLog::SessionLog(std::filesystem::path file, json::object meta, LogOptions options)
    : state_(std::make_shared<State>(storage::real_file_system(), std::move(file), std::move(meta),
                                     std::move(options))) {}

Async<void> SessionLog::start() {
  const detail::LogPlace& place = state_->place;
  return detail::run_log_operation("start", place.file, place.options.timeout(),
                                   State::append(state_, std::string()));
}

Async<void> SessionLog::append(Message turn) {
  const detail::LogPlace& place = state_->place;
  if (turn.timestamp.empty()) {
    turn.timestamp = place.options.clock()->now();
  }
  auto measured = measure(turn, place.options.limits());
  auto body = measured ? State::append(state_, encode_message(turn)) : refused(measured.error());
  return detail::run_log_operation("append", place.file, place.options.timeout(), std::move(body));
}

Async<LoadedLog> SessionLog::load() {
  const detail::LogPlace& place = state_->place;
  return detail::run_log_operation("load", place.file, place.options.timeout(), State::load(state_));
}

const std::filesystem::path& SessionLog::file() const noexcept {
  return state_->place.file;
}

namespace {

using Paths = std::vector<std::filesystem::path>;

Result<Paths> find_logs(const detail::LogPlace& place) {
  auto opened = place.open_directory();
  if (!opened) {
    if (opened.error().code() == Errc::not_found) return Paths();
    return opened.error();
  }
  auto entries = (*opened)->list();
  if (!entries) return storage::system_error(entries.error(), "cannot list the logs", **opened, "");
  std::vector<std::string> names;
  for (const storage::DirectoryEntry& entry : *entries) {
    const bool is_log = entry.name.ends_with(".jsonl") && !entry.name.starts_with('.');
    if (is_log && entry.kind == storage::FileKind::regular) names.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  Paths logs;
  for (const std::string& log : names)
    logs.push_back(place.file.parent_path() / log);
  return logs;
}

Async<Paths> list_body(std::shared_ptr<const detail::LogPlace> place) {
  auto work = [place](CommitGate&) { return find_logs(*place); };
  auto logs = co_await storage::run_on(place->pool, std::move(work));
  co_return logs;
}

}  // namespace

Async<Paths> list_session_logs(std::filesystem::path directory, LogOptions options) {
  const auto timeout = options.timeout();
  auto place = std::make_shared<const detail::LogPlace>(storage::real_file_system(), directory / "any",
                                                        std::move(options));
  return detail::run_log_operation("list", std::move(directory), timeout, list_body(std::move(place)));
}

}  // namespace sessile
