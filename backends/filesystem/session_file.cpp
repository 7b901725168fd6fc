#include "session_file.hpp"

#include "json/measure.hpp"
#include "storage/replace_file.hpp"

#include <limits>
#include <memory>
#include <span>

namespace sessile::filesystem {

namespace {

using storage::Directory;
using storage::File;

/// Holds the summary of nearly every session: its title is short where it was not set.
constexpr std::uint64_t kHeadBytes = 4096;
/// Holds the remembered appends of nearly every session that has some.
constexpr std::uint64_t kTailBytes = 16384;

/// Longer files are parsed on the pool.
constexpr std::uint64_t kParsedAtOnce = 65536;

std::string path_of(const Directory& directory, std::string_view file) {
  return (directory.path() / file).string();
}

std::string_view stem_of(std::string_view file) {
  return file.substr(0, file.size() - kExtension.size());
}

std::string foreign_file(const SessionId& id) {
  return id.str() + std::string(kExtension);
}

Result<std::unique_ptr<File>> open(Directory& directory, const std::string& file) {
  auto opened = directory.open_file(file, storage::OpenMode::read);
  if (!opened) return storage::system_error(opened.error(), "cannot open the file", directory, file);
  return std::move(*opened);
}

Result<StoredSession> read_open_file(File& opened, const Directory& directory, const std::string& file,
                                     const Limits& limits) {
  auto text = storage::read_file(opened, directory, file, longest_file(limits));
  if (!text) return text.error();
  auto stored = decode_document(*text, limits);
  if (!stored) return stored.error().with_path(path_of(directory, file));
  // What is shorter than either limit cannot be beyond one.
  if (text->size() > std::min(limits.session_bytes, limits.message_bytes)) {
    const bool foreign = !decode_head(std::string_view(*text).substr(0, kHeadBytes));
    if (auto sized = detail::check_size(stored->session, foreign, limits); !sized)
      return sized.error().with_path(path_of(directory, file));
  }
  Timestamp& updated_at = stored->session.updated_at;
  if (!updated_at.empty()) return stored;
  auto info = opened.info();
  if (!info) return storage::system_error(info.error(), "cannot look at the file", directory, file);
  updated_at = Timestamp(info->modified);
  return stored;
}

/// The remembered appends by the end of a document of our form. Empty when `tail` does not show whether there
/// are any.
std::optional<Result<AppendMemory>> decode_tail(std::string_view tail, const Limits& limits) {
  constexpr std::string_view kEnd = "\n}\n";
  constexpr std::string_view kAppends = "\"sessile_appends\":";
  if (!tail.ends_with(kEnd)) return std::nullopt;
  tail.remove_suffix(kEnd.size());
  const std::size_t before = tail.rfind('\n');
  if (before == std::string_view::npos) return std::nullopt;
  // Each field of the root has a line of its own, and this one is the last.
  const std::string_view last = tail.substr(before + 1);
  if (!last.starts_with(kAppends)) return AppendMemory();
  auto list = parse_json(last.substr(kAppends.size()), Origin::stored, limits);
  if (!list) return std::nullopt;
  return AppendMemory::from_json(*list);
}

Result<std::string> read_tail(File& file, const Directory& directory, std::string_view name,
                              std::uint64_t size, std::uint64_t bytes) {
  bytes = std::min(bytes, size);
  std::string tail(bytes, '\0');
  for (std::size_t done = 0; done < tail.size();) {
    auto count = file.read_at(size - bytes + done, std::span(tail).subspan(done));
    if (!count) return storage::system_error(count.error(), "cannot read the file", directory, name);
    if (*count == 0) return std::string();
    done += *count;
  }
  return tail;
}

Error holds_another_id(const Directory& directory, std::string_view file) {
  return Error(Errc::corrupt, "the file holds the session of another id than its name says")
      .with_path(path_of(directory, file));
}

}  // namespace

// More than any text that the parser takes, so that its answer to a longer one is the one that is seen.
std::uint64_t longest_file(const Limits& limits) {
  constexpr std::uint64_t kSlack = std::uint64_t{2} << 20;
  constexpr std::uint64_t kHalf = (std::numeric_limits<std::uint64_t>::max() - kSlack) / 2;
  return std::min(limits.session_bytes, kHalf) * 2 + kSlack;
}

std::string sidecar_of(std::string_view file) {
  return std::string(file) + ".lock";
}

std::string own_file(const SessionId& id) {
  return file_name(id.str()) + std::string(kExtension);
}

bool may_have_foreign_file(const SessionId& id) {
  return is_plain_file_name(id.str()) && file_name(id.str()) != id.str();
}

std::string file_of(Directory& directory, const SessionId& id, const Limits& limits) {
  std::string own = own_file(id);
  if (!may_have_foreign_file(id) || directory.info(own)) return own;
  std::string foreign = foreign_file(id);
  auto info = directory.info(foreign);
  if (!info || info->kind != storage::FileKind::regular) return own;
  auto summary = read_summary(directory, foreign, limits);
  if (summary) return *summary && (*summary)->id == id ? foreign : own;
  // It cannot be read. Its name may be the one that we chose for another id, which it then stands for.
  const auto other = id_of_file_name(id.str());
  return other && *other != id.str() ? own : foreign;
}

Result<StoredSession> read_session(Directory& directory, const std::string& file, const SessionId& id,
                                   const Limits& limits) {
  auto opened = open(directory, file);
  if (!opened) return opened.error();
  auto stored = read_open_file(**opened, directory, file, limits);
  if (!stored) return stored.error();
  if (stored->session.id != id) return holds_another_id(directory, file);
  return stored;
}

SessionPtr read_session_at_once(Directory& directory, const std::string& file, const SessionId& id,
                                const Limits& limits) {
  auto opened = directory.open_cached(file);
  if (!opened) return nullptr;
  auto info = (*opened)->look();
  if (!info || info->size > kParsedAtOnce) return nullptr;
  auto stored = read_open_file(**opened, directory, file, limits);
  if (!stored || stored->session.id != id) return nullptr;
  return std::make_shared<const Session>(std::move(stored->session));
}

Result<std::optional<StoredHead>> read_stored_head(Directory& directory, const std::string& file,
                                                   const SessionId& id, const Limits& limits) {
  auto opened = open(directory, file);
  if (!opened) {
    if (opened.error().code() == Errc::not_found) return std::optional<StoredHead>();
    return opened.error();
  }
  auto info = (*opened)->look();
  if (!info) return storage::system_error(info.error(), "cannot look at the file", directory, file);
  auto head = storage::read_head(**opened, directory, file, kHeadBytes);
  if (!head) return head.error();
  if (const auto summary = decode_head(*head); summary && info->size <= longest_file(limits)) {
    if (summary->id != id) return holds_another_id(directory, file);
    auto tail = read_tail(**opened, directory, file, info->size, kTailBytes);
    if (!tail) return tail.error();
    if (auto appends = decode_tail(*tail, limits); appends && *appends) {
      StoredHead stored;
      stored.state = StoredState(summary->revision, summary->created_at, summary->updated_at);
      stored.appends = std::move(**appends);
      return std::optional<StoredHead>(std::move(stored));
    }
  }
  auto stored = read_session(directory, file, id, limits);
  if (!stored) return stored.error();
  StoredHead whole;
  whole.state = StoredState(stored->session.revision, stored->session.created_at, stored->session.updated_at);
  whole.appends = std::move(stored->appends);
  return std::optional<StoredHead>(std::move(whole));
}

Result<std::optional<SessionSummary>> read_summary(Directory& directory, const std::string& file,
                                                   const Limits& limits) {
  auto opened = open(directory, file);
  if (!opened) {
    if (opened.error().code() == Errc::not_found) return std::optional<SessionSummary>();
    return opened.error();
  }
  auto info = (*opened)->look();
  if (!info) return storage::system_error(info.error(), "cannot look at the file", directory, file);
  auto head = storage::read_head(**opened, directory, file, kHeadBytes);
  if (!head) return head.error();
  auto summary = decode_head(*head);
  if (!summary) {
    auto stored = read_open_file(**opened, directory, file, limits);
    if (!stored) return stored.error();
    summary = summarize(stored->session);
  }
  summary->stored_bytes = info->size;
  if (file == own_file(summary->id)) return summary;
  if (file != foreign_file(summary->id) || !may_have_foreign_file(summary->id)) {
    return holds_another_id(directory, file);
  }
  if (directory.info(own_file(summary->id))) {
    return Error(Errc::corrupt, "another file holds the session of the same id: " + own_file(summary->id))
        .with_path(path_of(directory, file));
  }
  return summary;
}

std::string key_of(std::string_view file) {
  const auto stem = stem_of(file);
  return id_of_file_name(stem).value_or(std::string(stem));
}

}  // namespace sessile::filesystem
