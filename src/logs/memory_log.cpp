#include <sessile/memory_log.hpp>

#include "logs/log_access.hpp"
#include "logs/log_operation.hpp"
#include "logs/memory_log_state.hpp"

#include <algorithm>

namespace sessile {

using storage::CommitGate;

namespace {

constexpr std::size_t kMaxTagBytes = 200;

Error refusal(std::string_view why) {
  return Error(Errc::invalid_argument, why);
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

Result<void> check_note(const MemoryNote& note, const Limits& limits) {
  if (note.kind < MemoryKind::fact || note.kind > MemoryKind::context) {
    return refusal("a memory's kind is fact, pref or context");
  }
  if (is_blank(note.content)) return refusal("there is nothing to remember: the content is blank");
  std::uint64_t bytes = note.content.size() + note.source.size();
  bool utf8 = is_utf8(note.content) && is_utf8(note.source);
  for (const std::string& tag : note.tags) {
    if (tag.empty() || tag.size() > kMaxTagBytes) return refusal("a tag has 1 to 200 bytes");
    utf8 = utf8 && is_utf8(tag);
    bytes += tag.size();
  }
  if (!utf8) return refusal("the note is not UTF-8");
  if (bytes > limits.message_bytes) return Error(Errc::too_large, "the note exceeds the limit of one");
  return success();
}

bool matches(const MemoryItem& item, const MemoryQuery& query) {
  if (query.kind() && item.note.kind != *query.kind()) return false;
  const std::vector<std::string>& tags = item.note.tags;
  return !query.tag() || std::find(tags.begin(), tags.end(), *query.tag()) != tags.end();
}

std::vector<MemoryItem> select(const detail::MemoryContent& content, const MemoryQuery& query) {
  std::vector<MemoryItem> found;
  for (auto entry = content.items.rbegin(); entry != content.items.rend(); ++entry) {
    if (query.limit() != 0 && found.size() == query.limit()) break;
    if (matches(entry->second, query)) found.push_back(entry->second);
  }
  return found;
}

/// Runs `work(file, gate)` on the strand, after the operations begun before.
template <class T, class State, class Work>
Async<T> on_file(std::shared_ptr<State> state, Work work) {
  auto job = [ticket = typename State::Ticket(state),
              work = std::move(work)](CommitGate& gate) mutable -> Result<T> {
    auto file = (*ticket).file();
    if (!file) return file.error();
    return work(**file, gate);
  };
  auto outcome = co_await storage::run_on(state->strand, std::move(job));
  co_return outcome;
}

template <class State>
Async<void> close_on_strand(std::shared_ptr<State> state) {
  // Its ticket keeps the end of the handle from closing the file at the same time.
  auto job = [ticket = typename State::Ticket(state)](CommitGate&) {
    (*ticket).close_file();
    return success();
  };
  auto closed = co_await storage::run_on(state->strand, std::move(job));
  co_return closed;
}

template <class T, class State, class Work>
Async<T> operation(std::string_view name, const std::shared_ptr<State>& state, Work work) {
  const detail::LogPlace& place = state->place;
  return detail::run_log_operation(name, place.file, place.options.timeout(),
                                   on_file<T>(state, std::move(work)));
}

Async<std::unique_ptr<detail::MemoryFile>> open_file(std::shared_ptr<const detail::LogPlace> place) {
  auto job = [place](CommitGate&) -> Result<std::unique_ptr<detail::MemoryFile>> {
    if (auto checked = place->check(); !checked) return checked.error();
    return detail::MemoryFile::open(*place);
  };
  auto opened = co_await storage::run_on(place->pool, std::move(job));
  co_return opened;
}

}  // namespace

Async<MemoryLog> detail::LogAccess::open_memory(std::shared_ptr<storage::FileSystem> files,
                                                std::filesystem::path file, LogOptions options) {
  auto place = std::make_shared<const LogPlace>(std::move(files), std::move(file), std::move(options));
  auto opened = co_await run_log_operation("open", place->file, place->options.timeout(), open_file(place));
  if (!opened) co_return opened.error();
  co_return MemoryLog(std::make_shared<MemoryLog::State>(*place, std::move(*opened)));
}

Async<MemoryLog> MemoryLog::open(std::filesystem::path file, LogOptions options) {
  return detail::LogAccess::open_memory(storage::real_file_system(), std::move(file), std::move(options));
}

MemoryLog::MemoryLog(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
MemoryLog::MemoryLog(MemoryLog&&) noexcept = default;

MemoryLog& MemoryLog::operator=(MemoryLog&& other) noexcept {
  if (this == &other) return *this;
  if (state_ != nullptr) state_->abandon();
  state_ = std::move(other.state_);
  return *this;
}

MemoryLog::~MemoryLog() {
  if (state_ != nullptr) state_->abandon();
}

Async<MemoryItem> MemoryLog::add(MemoryNote note) {
  const Limits& limits = state_->place.options.limits();
  auto work = [note = std::move(note), &limits](detail::MemoryFile& file,
                                                CommitGate& gate) -> Result<MemoryItem> {
    if (auto checked = check_note(note, limits); !checked) return checked.error();
    return file.add(note, gate);
  };
  return operation<MemoryItem>("add", state_, std::move(work));
}

Async<MemoryItem> MemoryLog::add(MemoryKind kind, std::string content) {
  return add(MemoryNote(kind, std::move(content)));
}

Async<bool> MemoryLog::forget(MemoryId id) {
  auto work = [id](detail::MemoryFile& file, CommitGate& gate) { return file.forget(id, gate); };
  return operation<bool>("forget", state_, std::move(work));
}

Async<std::vector<MemoryItem>> MemoryLog::list(MemoryQuery query) {
  auto work = [query = std::move(query)](detail::MemoryFile& file, CommitGate&) {
    return Result<std::vector<MemoryItem>>(select(file.content(), query));
  };
  return operation<std::vector<MemoryItem>>("list", state_, std::move(work));
}

Async<CompactReport> MemoryLog::compact() {
  auto work = [](detail::MemoryFile& file, CommitGate& gate) { return file.compact(gate); };
  return operation<CompactReport>("compact", state_, std::move(work));
}

Async<void> MemoryLog::close() {
  const detail::LogPlace& place = state_->place;
  return detail::run_log_operation("close", place.file, std::chrono::milliseconds(0),
                                   close_on_strand(state_));
}

}  // namespace sessile
