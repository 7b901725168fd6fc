#include "rows.hpp"

#include "json/fields.hpp"

#include <algorithm>
#include <utility>

namespace sessile::postgres {

namespace {

/// Everything but the messages and what the row's own columns say.
Session envelope_of(const Session& session) {
  Session envelope(session.id);
  envelope.agent_id = session.agent_id;
  envelope.user_id = session.user_id;
  envelope.project_id = session.project_id;
  envelope.parent_id = session.parent_id;
  envelope.title = session.title;
  envelope.trajectory = session.trajectory;
  envelope.metadata = session.metadata;
  envelope.extra = session.extra;
  return envelope;
}

bool has_user_message(const std::vector<Message>& messages) {
  return std::any_of(messages.begin(), messages.end(),
                     [](const Message& message) { return message.role == "user"; });
}

std::optional<std::string> text_of_json(std::string_view text) {
  auto value = parse_json(text, Origin::stored);
  if (!value) return std::nullopt;
  const json::string* string = value->if_string();
  if (string == nullptr) return std::nullopt;
  return std::string(string->data(), string->size());
}

std::optional<Timestamp> time_at(const Reply& reply, int row, int micros_column, int text_column) {
  const auto count = reply.integer(row, micros_column);
  if (!count) return std::nullopt;
  const TimePoint time{std::chrono::microseconds(*count)};
  if (text_column < 0 || reply.is_null(row, text_column)) return Timestamp(time);
  const std::string_view original = reply.text(row, text_column);
  // It is written into documents as it is, so it must be what it should be.
  const auto value = parse_json(original, Origin::stored);
  if (!value) return std::nullopt;
  const auto written = detail::to_timestamp(*value);
  if (!written) return std::nullopt;
  // What is no time is none here either, whatever number the column has to hold.
  return written->is_set() ? Timestamp(time, std::string(original)) : *written;
}

std::optional<std::uint64_t> count_at(const Reply& reply, int row, int column) {
  const auto number = reply.integer(row, column);
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

Result<std::vector<Message>> messages_at(const Reply& reply, int row, std::uint64_t expected,
                                         const Limits& limits) {
  const auto bodies = reply.texts(row, column::kBodies);
  if (!bodies || bodies->size() != expected) return unreadable("messages are missing, or too many");
  std::vector<Message> messages;
  messages.reserve(bodies->size());
  for (const std::string_view body : *bodies) {
    if (body.size() > limits.message_bytes)
      return Error(Errc::too_large, "a stored message exceeds the limit of a message");
    auto message = decode_message(body, Origin::stored, limits);
    if (!message) return message.error();
    messages.push_back(std::move(*message));
  }
  return messages;
}

}  // namespace

Error unreadable(std::string_view why) {
  return Error(Errc::corrupt, why);
}

std::int64_t micros(TimePoint time) noexcept {
  return time.time_since_epoch().count();
}

std::optional<std::string> original_of(const Timestamp& time) {
  if (time.original().empty()) return std::nullopt;
  return time.original();
}

std::string as_json_text(std::string_view text) {
  std::string out;
  write_json_string(out, text);
  return out;
}

std::vector<std::string> bodies_of(const std::vector<Message>& messages) {
  std::vector<std::string> bodies;
  bodies.reserve(messages.size());
  for (const Message& message : messages)
    bodies.push_back(encode_message(message));
  return bodies;
}

std::optional<std::string> title_from(std::vector<Message> messages) {
  if (!has_user_message(messages)) return std::nullopt;
  Session session;
  session.messages = std::move(messages);
  return as_json_text(title_of(session));
}

SessionRows rows_of(const Session& session, std::size_t first) {
  SessionRows rows;
  rows.envelope = encode_session(envelope_of(session));
  rows.bodies.reserve(session.messages.size() - first);
  for (std::size_t i = first; i < session.messages.size(); ++i)
    rows.bodies.push_back(encode_message(session.messages[i]));
  const std::string title = title_of(session);
  if (!title.empty() || has_user_message(session.messages)) rows.title = as_json_text(title);
  return rows;
}

Result<SessionSummary> summary_at(const Reply& reply, int row) {
  SessionSummary summary;
  summary.id = SessionId(reply.text(row, column::kId));
  summary.agent_id = AgentId(reply.text(row, column::kAgent));
  summary.parent_id = SessionId(reply.text(row, column::kParent));
  auto user = text_of_json(reply.text(row, column::kUser));
  auto project = text_of_json(reply.text(row, column::kProject));
  if (!user || !project) return unreadable("the session's user or project is no JSON string");
  summary.user_id = std::move(*user);
  summary.project_id = std::move(*project);
  if (!reply.is_null(row, column::kTitle)) {
    auto title = text_of_json(reply.text(row, column::kTitle));
    if (!title) return unreadable("the session's title is no JSON string");
    summary.title = std::move(*title);
  }
  const auto created = time_at(reply, row, column::kCreated, column::kCreatedText);
  const auto updated = time_at(reply, row, column::kUpdated, column::kUpdatedText);
  const auto revision = count_at(reply, row, column::kRevision);
  const auto count = count_at(reply, row, column::kMessages);
  const auto bytes = count_at(reply, row, column::kBytes);
  if (!created || !updated || !revision || !count || !bytes)
    return unreadable("a time or a number of the session's row is out of range");
  summary.created_at = *created;
  summary.updated_at = *updated;
  summary.revision = *revision;
  summary.message_count = *count;
  summary.stored_bytes = *bytes;
  summary.pinned = reply.boolean(row, column::kPinned);
  return summary;
}

Result<SessionPtr> session_at(const Reply& reply, int row, std::int64_t last, const Limits& limits) {
  auto summary = summary_at(reply, row);
  if (!summary) return summary.error();
  if (!reply.boolean(row, column::kSound))
    return unreadable("the session's envelope is not as it was written");
  // Of such a one the statement sends no bodies.
  if (summary->stored_bytes > session_limit(limits))
    return Error(Errc::too_large, "the stored session exceeds the limit of a session");
  auto session = decode_session(reply.text(row, column::kEnvelope), Origin::stored, limits);
  if (!session) return session.error();
  if (session->id != summary->id || session->agent_id != summary->agent_id)
    return unreadable("the session's envelope names another session, or another agent, than its row");
  const std::uint64_t wanted = std::min(summary->message_count, static_cast<std::uint64_t>(last));
  auto messages = messages_at(reply, row, wanted, limits);
  if (!messages) return messages.error();
  session->messages = std::move(*messages);
  session->created_at = summary->created_at;
  session->updated_at = summary->updated_at;
  session->revision = summary->revision;
  session->stored_bytes = summary->stored_bytes;
  session->omitted_messages = summary->message_count - wanted;
  session->completeness = session->omitted_messages == 0 ? Completeness::whole : Completeness::partial;
  return SessionPtr(std::make_shared<const Session>(std::move(*session)));
}

namespace {

/// Without the text that it was written as.
Timestamp bare_time_at(const Reply& reply, int micros_column) {
  return time_at(reply, 0, micros_column, -1).value_or(Timestamp());
}

}  // namespace

std::optional<Probe> probe_in(const Reply& reply) {
  if (reply.rows() == 0) return std::nullopt;
  Probe probe;
  const auto revision = count_at(reply, 0, probe_column::kRevision);
  const auto created = time_at(reply, 0, probe_column::kCreated, probe_column::kCreatedText);
  const auto updated = time_at(reply, 0, probe_column::kUpdated, probe_column::kUpdatedText);
  const auto bytes = count_at(reply, 0, probe_column::kBytes);
  if (!revision || !created || !updated || !bytes)
    probe.damage = unreadable("a time or a number of the session's row is out of range");
  if (!reply.boolean(0, probe_column::kSound))
    probe.damage = unreadable("the session's envelope is not as it was written");
  probe.written.revision = revision.value_or(0);
  probe.written.created_at = created.value_or(bare_time_at(reply, probe_column::kCreated));
  probe.written.updated_at = updated.value_or(bare_time_at(reply, probe_column::kUpdated));
  probe.stored_bytes = bytes.value_or(0);
  probe.writer = reply.integer(0, probe_column::kWriter).value_or(0);
  return probe;
}

Result<std::optional<AppendMemory::Entry>> append_in(const Reply& reply, std::string key) {
  if (reply.rows() == 0) return std::optional<AppendMemory::Entry>();
  AppendMemory::Entry entry;
  entry.key = std::move(key);
  entry.fingerprint = reply.text(0, 0);
  const auto revision = count_at(reply, 0, 1);
  const auto created = time_at(reply, 0, 2, 3);
  const auto updated = time_at(reply, 0, 4, -1);
  if (!revision || !created || !updated) return unreadable("the memory of an append is out of range");
  entry.written.revision = *revision;
  entry.written.created_at = *created;
  entry.written.updated_at = *updated;
  return std::optional<AppendMemory::Entry>(std::move(entry));
}

}  // namespace sessile::postgres
