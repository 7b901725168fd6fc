// What the values of a store look like in JSON: written once, for Writer and Meter alike.
#pragma once

#include "json/fields.hpp"

#include <sessile/json.hpp>
#include <sessile/results.hpp>

namespace sessile::detail {

template <class Out, class IsKnown>
void put_extra(Out& out, const json::object& extra, IsKnown is_known) {
  for (const auto& field : extra)
    out.extra_field(view(field.key()), field.value(), is_known);
}

template <class Out>
void put_message(Out& out, const Message& message) {
  out.begin_message();
  out.open('{');
  out.name("role");
  out.string(message.role);
  out.name("content");
  out.value(message.content);
  if (!message.timestamp.empty()) {
    out.name("timestamp");
    out.timestamp(message.timestamp);
  }
  if (message.trajectory) {
    out.name("trajectory");
    out.open('[');
    out.element(0);
    out.unsigned_number(message.trajectory->begin);
    out.element(1);
    out.unsigned_number(message.trajectory->end);
    out.close(']');
  }
  put_extra(out, message.extra, is_message_field);
  out.close('}');
  out.end_message();
}

template <class Out>
void put_optional(Out& out, std::string_view name, const std::string& text) {
  if (text.empty()) return;
  out.name(name);
  out.string(text);
}

template <class Out>
void put_step(Out& out, const TrajectoryStep& step) {
  out.open('{');
  out.name("tool");
  out.string(step.tool);
  if (!step.arguments.is_null()) {
    out.name("arguments");
    out.value(step.arguments);
  }
  put_optional(out, "output_summary", step.output_summary);
  if (step.duration) {
    out.name("duration_ms");
    out.signed_number(step.duration->count());
  }
  if (step.is_error) {
    out.name("is_error");
    out.boolean(true);
  }
  put_optional(out, "call_id", step.call_id);
  if (!step.timestamp.empty()) {
    out.name("timestamp");
    out.timestamp(step.timestamp);
  }
  put_extra(out, step.extra, is_step_field);
  out.close('}');
}

/// What a session is stored with, where that is not what it says itself.
class StampView {
 public:
  explicit StampView(const Session& session) noexcept
      : revision(session.revision), created_at(session.created_at), updated_at(session.updated_at) {}
  explicit StampView(const Written& written) noexcept
      : revision(written.revision), created_at(written.created_at), updated_at(written.updated_at) {}
  Revision revision;
  const Timestamp& created_at;
  const Timestamp& updated_at;
};

/// The fields that tell a session apart, but for its bodies.
template <class Out>
void put_identity(Out& out, const Session& session, const StampView& stamp) {
  out.name("session_id");
  out.string(session.id.str());
  out.name("agent_id");
  out.string(session.agent_id.str());
  put_optional(out, "user_id", session.user_id);
  put_optional(out, "project_id", session.project_id);
  // Written even when empty where another program's field would be read in its place.
  if (!session.parent_id.empty() || session.extra.contains("parent_spawn_ref")) {
    out.name("parent_id");
    out.string(session.parent_id.str());
  }
  put_optional(out, "title", session.title);
  out.name("created_at");
  out.stamp(stamp.created_at);
  out.name("updated_at");
  out.stamp(stamp.updated_at);
  out.name("revision");
  out.revision(stamp.revision);
}

template <class Out, class T, class Put>
void put_array(Out& out, std::string_view name, const std::vector<T>& items, Put put) {
  out.name(name);
  out.open('[');
  for (std::size_t i = 0; i < items.size(); ++i) {
    out.element(i);
    put(out, items[i]);
  }
  out.close(']');
}

/// The fields of a session, without the braces around them.
template <class Out>
void put_session_fields(Out& out, const Session& session, const StampView& stamp) {
  put_identity(out, session, stamp);
  if (session.completeness == Completeness::partial) {
    out.name("partial");
    out.boolean(true);
    out.name("omitted_messages");
    out.unsigned_number(session.omitted_messages);
  }
  if (!session.metadata.empty()) {
    out.name("metadata");
    out.object(session.metadata);
  }
  // Written even when empty: a document without messages is taken for another program's.
  put_array(out, "messages", session.messages,
            [](Out& to, const Message& message) { put_message(to, message); });
  if (!session.trajectory.empty()) {
    put_array(out, "trajectory", session.trajectory,
              [](Out& to, const TrajectoryStep& step) { put_step(to, step); });
  }
  const std::optional<json::value> last_active = refreshed_last_active(session, stamp.updated_at);
  for (const auto& field : session.extra) {
    const std::string_view key = view(field.key());
    const bool is_stamp = key == "last_active_at" && to_timestamp(field.value());
    out.extra_field(key, is_stamp && last_active ? *last_active : field.value(), is_session_field, is_stamp);
  }
}

template <class Out>
void put_session_fields(Out& out, const Session& session) {
  put_session_fields(out, session, StampView(session));
}

}  // namespace sessile::detail
