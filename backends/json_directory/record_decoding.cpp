#include "json/measure.hpp"
#include "json/parser.hpp"
#include "last_messages.hpp"
#include "records.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace sessile::json_directory {

namespace {

constexpr std::string_view kHeadEnd = ",\"head\":\"";
constexpr std::size_t kChecksumDigits = 8;
constexpr std::string_view kSession = ",\"session\":";

Error corrupt(std::string_view detail) {
  return Error(Errc::corrupt, detail);
}

Error unknown_type() {
  return Error(Errc::unsupported, "a record of a type that this version does not know: upgrade");
}

/// The members that follow the head's checksum.
std::string_view after_head(std::string_view members) noexcept {
  const std::size_t head = members.find(kHeadEnd);
  if (head == std::string_view::npos) return {};
  return members.substr(std::min(members.size(), head + kHeadEnd.size() + kChecksumDigits + 1));
}

std::optional<RecordType> type_of(const json::object& fields) {
  const json::value* type = fields.if_contains("type");
  const json::string* name = type ? type->if_string() : nullptr;
  if (!name) return std::nullopt;
  if (*name == "snapshot") return RecordType::snapshot;
  if (*name == "patch") return RecordType::patch;
  if (*name == "append") return RecordType::append;
  return std::nullopt;
}

std::optional<std::uint64_t> number(const json::object& fields, json::string_view name) {
  const json::value* value = fields.if_contains(name);
  if (!value) return std::nullopt;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64() && value->get_int64() >= 0) return static_cast<std::uint64_t>(value->get_int64());
  return std::nullopt;
}

bool flag(const json::object& fields, json::string_view name) {
  const json::value* value = fields.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

std::string text(const json::object& fields, json::string_view name) {
  const json::value* value = fields.if_contains(name);
  const json::string* found = value ? value->if_string() : nullptr;
  return found ? std::string(found->data(), found->size()) : std::string();
}

/// A summary has the names of a session's document: it is read as one.
Result<SessionSummary> summary_from(json::object fields) {
  const auto messages = number(fields, "message_count");
  const auto bytes = number(fields, "bytes");
  const bool pinned = flag(fields, "pinned");
  if (!messages || !bytes) return corrupt("a summary has no message_count or bytes");
  auto session = session_from_json(std::move(fields), Origin::stored);
  if (!session) return session.error();
  if (session->revision == 0) return corrupt("a summary has no revision");
  SessionSummary summary = summarize(*session);
  summary.message_count = *messages;
  summary.stored_bytes = *bytes;
  summary.pinned = pinned;
  return summary;
}

/// The fields that an append's head has itself; read under an id that is not in it.
Result<SessionSummary> append_summary_from(const json::object& fields) {
  json::object summary;
  summary.emplace("session_id", "-");
  for (const char* name : {"updated_at", "revision", "message_count", "bytes"}) {
    if (const json::value* value = fields.if_contains(name)) summary.emplace(name, *value);
  }
  return summary_from(std::move(summary));
}

/// Takes the summary out of `fields`.
Result<RecordHead> head_from(json::object& fields) {
  const auto type = type_of(fields);
  if (!type) return unknown_type();
  RecordHead head;
  head.type = *type;
  head.unsettled = flag(fields, "unsettled");
  head.key = text(fields, "key");
  head.fingerprint = text(fields, "fingerprint");
  const bool is_append = *type == RecordType::append;
  const auto base = number(fields, "base");
  json::value* whole = fields.if_contains("summary");
  if (is_append && !base) return corrupt("an append has no base");
  if (!is_append && !(whole && whole->is_object())) return corrupt("a record has no summary");
  head.base = base.value_or(0);
  head.from = number(fields, "from");
  head.keyed = number(fields, "keyed");
  head.synced = flag(fields, "synced");
  auto summary = is_append ? append_summary_from(fields) : summary_from(std::move(whole->get_object()));
  if (!summary) return summary.error();
  head.summary = std::move(*summary);
  return head;
}

/// A record may be longer than its session.
Limits record_limits(Limits limits) {
  limits.session_bytes = log_bytes_limit(limits);
  return limits;
}

/// Of a record in a session's document, which it wraps in one more level.
constexpr std::uint32_t kRecordLevel = 0;

/// A document that records are applied to.
class Replay {
 public:
  explicit Replay(const Limits& limits) : limits_(limits), record_limits_(record_limits(limits)) {}

  /// `omitted`: of its messages, which `text`, the record's line but for them, lacks.
  Result<void> apply(const storage::LogRecord& record, std::string_view text, std::uint64_t omitted) {
    omitted_ += omitted;
    longest_ = std::max(longest_, text.size());
    auto parsed = detail::parse_at_level(text, Origin::stored, record_limits_, kRecordLevel);
    // Its offset is into the record.
    if (!parsed) {
      // A record that is sound and beyond this store's limits is no damage, which a repair would take out.
      if (parsed.error().code() == Errc::too_large) return Error(Errc::too_large, parsed.error().detail());
      return corrupt("a record is not JSON as it must be").with_outside_text(parsed.error().detail());
    }
    json::object& fields = parsed->as_object();
    const json::value updated_at = updated_at_of(fields);
    // The record's checksum is over the head as well.
    auto head = head_from(fields);
    if (!head) return head.error();
    if (head->type == RecordType::append) {
      if (head->base != state_.base) return corrupt("an append names another base");
      state_.summary = completed(*head, std::move(state_.summary));
    } else {
      state_.summary = head->summary;
      state_.base = record.offset;
    }
    state_.unsettled = head->unsettled;
    if (head->type == RecordType::snapshot) state_.from = record.offset;
    if (head->type == RecordType::snapshot || !head->key.empty()) state_.keyed = record.offset;
    if (auto applied = apply_body(head->type, fields, updated_at); !applied) return applied;
    remember(*head);
    return success();
  }

  Result<Replayed> finish() {
    if (state_.summary.stored_bytes > limits_.session_bytes) {
      return Error(Errc::too_large, "the session is larger than the store's limit");
    }
    auto session = session_from_json(std::move(document_), Origin::stored, limits_);
    if (!session) return session.error();
    if (session->id != state_.summary.id || session->agent_id != state_.summary.agent_id) {
      return corrupt("the session and its summary are not of the same id and agent");
    }
    if (session->messages.size() + omitted_ != state_.summary.message_count) {
      return corrupt("the session has not as many messages as its summary says");
    }
    // A message is in one record.
    if (longest_ > limits_.message_bytes) {
      if (auto sized = detail::check_size(*session, false, limits_); !sized) return sized.error();
    }
    session->stored_bytes = state_.summary.stored_bytes;
    if (omitted_ != 0) session->completeness = Completeness::partial;
    session->omitted_messages += omitted_;
    state_.stored.session = std::move(*session);
    return std::move(state_);
  }

 private:
  Result<void> apply_body(RecordType type, json::object& fields, const json::value& updated_at) {
    if (type == RecordType::snapshot) return apply_snapshot(fields);
    document_["revision"] = state_.summary.revision;
    if (!updated_at.is_null()) document_["updated_at"] = updated_at;
    if (type == RecordType::patch) {
      if (auto changed = apply_changes(fields); !changed) return changed;
      // Logs of before may unset it, where a foreign time became one of ours.
      if (!document_.contains("updated_at")) document_["updated_at"] = updated_at;
    }
    if (auto added = extend(fields, "messages"); !added) return added;
    return extend(fields, "trajectory");
  }

  Result<void> apply_snapshot(json::object& fields) {
    json::value* session = fields.if_contains("session");
    if (!session || !session->is_object()) return corrupt("a snapshot has no session");
    document_ = std::move(session->get_object());
    state_.stored.appends = AppendMemory();
    if (const json::value* appends = fields.if_contains("appends")) {
      auto memory = AppendMemory::from_json(*appends);
      if (!memory) return memory.error();
      state_.stored.appends = std::move(*memory);
    }
    return success();
  }

  Result<void> apply_changes(json::object& fields) {
    if (json::value* set = fields.if_contains("set")) {
      if (!set->is_object()) return corrupt("set is not an object");
      for (auto& field : set->get_object())
        document_[field.key()] = std::move(field.value());
    }
    if (const json::value* unset = fields.if_contains("unset")) {
      if (!unset->is_array()) return corrupt("unset is not an array");
      for (const json::value& name : unset->get_array()) {
        if (!name.is_string()) return corrupt("unset holds what is not a name");
        // erase() would put the last field in its place.
        if (const auto field = document_.find(name.get_string()); field != document_.end())
          document_.stable_erase(field);
      }
    }
    return success();
  }

  Result<void> extend(json::object& fields, json::string_view name) {
    json::value* added = fields.if_contains(name);
    if (!added) return success();
    json::value& list = document_[name];
    if (list.is_null()) list.emplace_array();
    if (!added->is_array() || !list.is_array()) return corrupt("messages or trajectory is not an array");
    for (json::value& item : added->get_array())
      list.get_array().push_back(std::move(item));
    return success();
  }

  /// As it stands in the record: another program's time keeps its text.
  static json::value updated_at_of(const json::object& fields) {
    const json::value* summary = fields.if_contains("summary");
    const json::object* holder = summary ? summary->if_object() : &fields;
    const json::value* updated = holder ? holder->if_contains("updated_at") : nullptr;
    return updated ? *updated : json::value();
  }

  void remember(const RecordHead& head) {
    if (head.key.empty()) return;
    state_.stored.appends.remember(head.key, head.fingerprint, written_of(state_.summary));
  }

  const Limits& limits_;
  const Limits record_limits_;
  json::object document_;
  std::uint64_t omitted_ = 0;
  std::size_t longest_ = 0;  // of the records' texts
  Replayed state_;
};

Result<Replayed> without_snapshot() {
  return corrupt("the log has no snapshot").with_offset(0);
}

}  // namespace

std::uint64_t log_bytes_limit(const Limits& limits) noexcept {
  constexpr std::uint64_t kRoomForSmallOnes = std::uint64_t{1} << 20;
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max() / 8;
  return 4 * std::min(limits.session_bytes, kMost) + kRoomForSmallOnes;
}

std::optional<std::uint64_t> snapshot_offset(std::string_view members, std::uint64_t offset) noexcept {
  constexpr std::string_view kFrom = ",\"from\":";
  const std::size_t end = members.find(kHeadEnd);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view head = members.substr(0, end);
  if (is_snapshot(head)) return offset;
  // No string holds this: its quotes would be escaped.
  const std::size_t at = head.find(kFrom);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view digits = head.substr(at + kFrom.size());
  std::uint64_t from = 0;
  const auto [stop, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), from);
  if (failed != std::errc() || stop == digits.data()) return std::nullopt;
  return from;
}

Result<std::optional<RecordHead>> decode_head(std::string_view members) {
  const std::size_t end = members.find(kHeadEnd);
  if (end == std::string_view::npos) return std::optional<RecordHead>();
  const std::string_view fields = members.substr(0, end);
  const std::string_view sum = members.substr(end + kHeadEnd.size(), kChecksumDigits);
  if (sum.size() < kChecksumDigits) return std::optional<RecordHead>();
  if (sum != storage::checksum_text(fields))
    return corrupt("the head of a record does not match its checksum");
  std::string text("{");
  auto parsed = parse_json(text.append(fields).append("}"), Origin::stored);
  if (!parsed) return corrupt("the head of a record is not JSON as it must be");
  auto head = head_from(parsed->as_object());
  if (!head) return head.error();
  return std::optional<RecordHead>(std::move(*head));
}

bool has_no_appends(std::string_view line_start) noexcept {
  return after_head(storage::leading_members(line_start)).starts_with(kSession);
}

Result<AppendMemory> snapshot_appends(std::string_view members, const Limits& limits) {
  constexpr std::string_view kStart = ",\"appends\":";
  const std::string_view body = after_head(members);
  if (body.starts_with(kSession)) return AppendMemory();
  // Not found inside a string, where quotes are escaped.
  const std::size_t end = body.find(kSession);
  if (!body.starts_with(kStart) || end == std::string_view::npos) return corrupt("a snapshot has no session");
  auto list =
      parse_json(body.substr(kStart.size(), end - kStart.size()), Origin::stored, record_limits(limits));
  if (!list) return corrupt("the remembered appends are not JSON as they must be");
  return AppendMemory::from_json(*list);
}

SessionSummary completed(const RecordHead& head, SessionSummary base) {
  base.revision = head.summary.revision;
  base.updated_at = head.summary.updated_at;
  base.message_count = head.summary.message_count;
  base.stored_bytes = head.summary.stored_bytes;
  return base;
}

bool is_snapshot(std::string_view members) noexcept {
  return members.starts_with("\"type\":\"snapshot\",");
}

Result<void> check_type(const storage::LogRecord& record, const Limits& limits) {
  const auto parsed =
      detail::parse_at_level(record.line, Origin::stored, record_limits(limits), kRecordLevel);
  // What is no JSON is damage, not a later version's.
  if (!parsed || type_of(parsed->as_object())) return success();
  return unknown_type().with_offset(record.offset);
}

std::size_t last_snapshot(const storage::LogScan& scan) noexcept {
  const auto last = std::find_if(scan.records.rbegin(), scan.records.rend(),
                                 [](const auto& record) { return is_snapshot(record.members); });
  if (last == scan.records.rend()) return scan.records.size();
  return static_cast<std::size_t>(std::distance(last, scan.records.rend())) - 1;
}

Result<Replayed> replay(const storage::LogScan& scan, const Limits& limits, std::string* spent) {
  const std::size_t first = last_snapshot(scan);
  if (first == scan.records.size()) return without_snapshot();
  Replay replay(limits);
  for (std::size_t i = first; i < scan.records.size(); ++i) {
    if (auto applied = replay.apply(scan.records[i], scan.records[i].line, 0); !applied) {
      return applied.error().with_offset(scan.records[i].offset);
    }
  }
  if (spent) std::string().swap(*spent);
  auto state = replay.finish();
  if (!state && state.error().code() == Errc::corrupt)
    return state.error().with_offset(scan.records[first].offset);
  return state;
}

Result<Replayed> replay_last_messages(const storage::LogScan& scan, const Limits& limits,
                                      std::uint64_t most) {
  const std::size_t first = last_snapshot(scan);
  if (first == scan.records.size()) return without_snapshot();
  // From the end on: how many of a record's are among the last, those after it decide.
  std::vector<Shortened> shortened(scan.records.size() - first);
  for (std::size_t i = shortened.size(); i-- > 0;) {
    auto record = without_early_messages(scan.records[first + i], most);
    if (!record) return Error(Errc::unsupported, "a record is not in the form that can be read in part");
    most -= record->kept;
    shortened[i] = std::move(*record);
  }
  Replay replay(limits);
  for (std::size_t i = 0; i < shortened.size(); ++i) {
    const auto& record = scan.records[first + i];
    const std::string_view text = shortened[i].omitted != 0 ? shortened[i].text : record.line;
    if (auto applied = replay.apply(record, text, shortened[i].omitted); !applied) return applied.error();
  }
  return replay.finish();
}

}  // namespace sessile::json_directory
