#include "json/dialects.hpp"

#include "json/fields.hpp"

#include <algorithm>

namespace sessile::detail {
namespace {

// ---- The reference library: loops[] of messages[] ----

/// The object with a role that an entry is, or wraps: {"role":…}, {"message":{"role":…}}, {"Llm":{"role":…}}.
const json::object* bare_message(const json::object& entry) noexcept {
  if (const json::value* role = entry.if_contains("role")) return role->is_string() ? &entry : nullptr;
  for (const auto& field : entry) {
    const json::object* inner = field.value().if_object();
    const json::value* role = inner ? inner->if_contains("role") : nullptr;
    if (role && role->is_string()) return inner;
  }
  return nullptr;
}

/// Copies fields that `to` has not yet. Those that our form has no place for are left out: the entry itself
/// stays in the session's extra.
void add_fields(const json::object& from, const json::object* wrapped, Message& to) {
  for (const auto& field : from) {
    if (field.value().if_object() == wrapped && wrapped != nullptr) continue;
    const std::string_view name = view(field.key());
    if (name == "timestamp" && to.timestamp.empty()) {
      if (std::optional<Timestamp> time = to_timestamp(field.value())) to.timestamp = *std::move(time);
    } else if (name == "content" && wrapped == nullptr) {
      to.content = field.value();
    } else if (!is_message_field(name, field.value()) && !to.extra.contains(field.key())) {
      to.extra.emplace(field.key(), field.value());
    }
  }
}

void add_loop_messages(const json::value& loop, std::vector<Message>& messages) {
  const json::object* object = loop.if_object();
  const json::value* list = object ? object->if_contains("messages") : nullptr;
  const json::array* entries = list ? list->if_array() : nullptr;
  if (!entries) return;
  for (const json::value& entry : *entries) {
    const json::object* outer = entry.if_object();
    const json::object* inner = outer ? bare_message(*outer) : nullptr;
    if (!inner) continue;
    Message& message = messages.emplace_back();
    const json::string& role = inner->at("role").get_string();
    message.role.assign(role.data(), role.size());
    add_fields(*inner, nullptr, message);
    if (inner != outer) add_fields(*outer, inner, message);
  }
}

// ---- The agent operating system: user_messages[] and agent_responses[] ----

constexpr std::string_view kUserMessages = "user_messages";
constexpr std::string_view kAgentResponses = "agent_responses";
constexpr std::string_view kSteps = "trajectory_steps";

const json::array* array_member(const json::object& object, std::string_view name) noexcept {
  const json::value* value = object.if_contains(json_view(name));
  return value ? value->if_array() : nullptr;
}

/// {"start":a,"end":b} and nothing else.
std::optional<TrajectoryRange> to_range(const json::value& value) noexcept {
  const json::object* object = value.if_object();
  if (!object || object->size() != 2) return std::nullopt;
  const json::value* start = object->if_contains("start");
  const json::value* end = object->if_contains("end");
  if (!start || !end) return std::nullopt;
  const std::optional<std::uint64_t> first = to_unsigned(*start);
  const std::optional<std::uint64_t> past_last = to_unsigned(*end);
  if (!first || !past_last) return std::nullopt;
  return TrajectoryRange(*first, *past_last);
}

/// A message with its place among its kind.
class Exchanged {
 public:
  Exchanged() {}
  Message message;
  std::size_t index = 0;
  TimePoint time;  ///< its own, else that of the one before
};

/// Reads one entry; false when something of it has no place in `to`.
bool read_exchanged(const json::value& entry, Message& to) {
  const json::object* object = entry.if_object();
  if (!object) return false;
  bool complete = true;
  for (const auto& field : *object) {
    const std::string_view name = view(field.key());
    if (name == "content") {
      to.content = field.value();
    } else if (name == "timestamp") {
      complete = !read_timestamp(name, field.value(), to.timestamp) && complete;
    } else if (const auto range = name == "trajectory_range" ? to_range(field.value()) : std::nullopt) {
      to.trajectory = range;
    } else if (is_message_field(name, field.value())) {
      complete = false;
    } else {
      to.extra.emplace(field.key(), field.value());
    }
  }
  return complete;
}

/// Appends the entries of the field `name`; false when something of them has no place in a message.
bool read_exchange(const json::object& extra, std::string_view name, std::string_view role,
                   std::vector<Exchanged>& out) {
  const json::array* entries = array_member(extra, name);
  if (!entries) return !extra.contains(json_view(name));
  bool complete = true;
  TimePoint time = TimePoint::min();
  for (std::size_t i = 0; i < entries->size(); ++i) {
    Exchanged next;
    complete = read_exchanged((*entries)[i], next.message) && complete;
    next.message.role = role;
    if (next.message.timestamp.is_set()) time = next.message.timestamp.time();
    next.time = time;
    next.index = i;
    out.push_back(std::move(next));
  }
  return complete;
}

/// Orders user messages and responses, which come in this order, by time; without any time, in turns.
void interleave(std::vector<Exchanged>& all) {
  const bool timed = std::any_of(all.begin(), all.end(),
                                 [](const Exchanged& one) { return one.message.timestamp.is_set(); });
  std::stable_sort(all.begin(), all.end(), [timed](const Exchanged& a, const Exchanged& b) {
    return timed ? a.time < b.time : a.index < b.index;
  });
}

std::string_view our_step_name(std::string_view theirs) noexcept {
  if (theirs == "tool_name") return "tool";
  if (theirs == "tool_args") return "arguments";
  if (theirs == "tool_call_id") return "call_id";
  return theirs;
}

bool is_renamed_step_field(std::string_view name) noexcept {
  return name == "tool" || name == "arguments" || name == "call_id";
}

/// Reads trajectory_steps; empty when something of them has no place in a step.
std::optional<std::vector<TrajectoryStep>> read_steps(const json::array& entries) {
  std::vector<TrajectoryStep> steps;
  steps.reserve(entries.size());
  for (const json::value& entry : entries) {
    const json::object* object = entry.if_object();
    if (!object) return std::nullopt;
    json::object renamed;
    for (const auto& field : *object) {
      if (is_renamed_step_field(view(field.key()))) return std::nullopt;
      renamed.emplace(json_view(our_step_name(view(field.key()))), field.value());
    }
    if (take_step(std::move(renamed), steps.emplace_back())) return std::nullopt;
  }
  return steps;
}

void erase(json::object& object, std::string_view name) {
  object.stable_erase(json_view(name));
}

}  // namespace

void read_loops_dialect(Session& session, const Present& present) {
  if (!present.updated_at) {
    const json::value* active = session.extra.if_contains("last_active_at");
    std::optional<Timestamp> time = active ? to_timestamp(*active) : std::nullopt;
    if (time) session.updated_at = *std::move(time);
  }
  if (!present.parent_id) {
    const json::value* spawned = session.extra.if_contains("parent_spawn_ref");
    const json::object* by = spawned ? spawned->if_object() : nullptr;
    const json::value* parent = by ? by->if_contains("parent_session_id") : nullptr;
    if (parent && parent->is_string()) session.parent_id = SessionId(view(parent->get_string()));
  }
  if (present.messages) return;
  if (const json::array* loops = array_member(session.extra, "loops")) {
    for (const json::value& loop : *loops)
      add_loop_messages(loop, session.messages);
  }
}

void read_exchange_dialect(Session& session, const Present& present) {
  json::object& extra = session.extra;
  if (present.messages || (!array_member(extra, kUserMessages) && !array_member(extra, kAgentResponses)))
    return;

  std::vector<Exchanged> all;
  const bool users = read_exchange(extra, kUserMessages, "user", all);
  const bool responses = read_exchange(extra, kAgentResponses, "assistant", all);
  interleave(all);
  for (Exchanged& one : all)
    session.messages.push_back(std::move(one.message));
  if (users) erase(extra, kUserMessages);
  if (responses) erase(extra, kAgentResponses);

  const json::array* entries = array_member(extra, kSteps);
  if (entries && !present.trajectory) {
    if (std::optional<std::vector<TrajectoryStep>> steps = read_steps(*entries)) {
      session.trajectory = *std::move(steps);
      erase(extra, kSteps);
    }
  }
  const json::value* parent = extra.if_contains("parent_session_id");
  if (parent && parent->is_string() && !present.parent_id) {
    session.parent_id = SessionId(view(parent->get_string()));
    erase(extra, "parent_session_id");
  }
}

}  // namespace sessile::detail
