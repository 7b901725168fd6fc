// The values that a store keeps.
#pragma once

#include <sessile/ids.hpp>
#include <sessile/time.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile {

namespace json = boost::json;

/// Half-open range of indices into Session::trajectory.
class TrajectoryRange {
 public:
  TrajectoryRange() noexcept {}
  TrajectoryRange(std::uint64_t first, std::uint64_t past_last) noexcept : begin(first), end(past_last) {}
  friend bool operator==(const TrajectoryRange&, const TrajectoryRange&) = default;

  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

template <class T>
concept StandardString = std::same_as<T, std::string> || std::same_as<T, std::string_view>;

/// One message of a session. All JSON in it must use the default storage.
class Message {
 public:
  Message() {}
  Message(std::string role_, json::value content_) : role(std::move(role_)), content(std::move(content_)) {}
  /// Boost.JSON 1.81 makes no value of a standard string.
  template <StandardString Text>
  Message(std::string role_, const Text& text)
      : role(std::move(role_)), content(json::string(text.data(), text.size())) {}

  Message& set_timestamp(Timestamp value) { return timestamp = std::move(value), *this; }
  Message& set_trajectory(TrajectoryRange value) { return trajectory = value, *this; }
  Message& set_extra(json::object value) { return extra = std::move(value), *this; }

  friend bool operator==(const Message&, const Message&) = default;

  std::string role;     ///< "user", "assistant", "system", "tool" or any other
  json::value content;  ///< a string, an array of blocks, or any JSON
  Timestamp timestamp;
  std::optional<TrajectoryRange> trajectory;  ///< the steps that led to this message
  json::object extra;                         ///< every field that is none of the above
};

/// One step an agent took: a tool's call and what came of it.
class TrajectoryStep {
 public:
  TrajectoryStep() {}
  explicit TrajectoryStep(std::string tool_name) : tool(std::move(tool_name)) {}

  TrajectoryStep& set_arguments(json::value value) { return arguments = std::move(value), *this; }
  TrajectoryStep& set_output(std::string summary) { return output_summary = std::move(summary), *this; }
  TrajectoryStep& set_duration(std::chrono::milliseconds value) { return duration = value, *this; }
  TrajectoryStep& set_call_id(std::string value) { return call_id = std::move(value), *this; }
  TrajectoryStep& set_timestamp(Timestamp value) { return timestamp = std::move(value), *this; }
  TrajectoryStep& mark_failed() { return is_error = true, *this; }

  friend bool operator==(const TrajectoryStep&, const TrajectoryStep&) = default;

  std::string tool;
  json::value arguments;
  std::string output_summary;
  std::optional<std::chrono::milliseconds> duration;
  bool is_error = false;
  std::string call_id;
  Timestamp timestamp;
  json::object extra;  ///< every field that is none of the above
};

/// How much of a stored session a Session holds.
enum class Completeness { whole, partial };

/// One session: an agent's messages, steps and state.
///
/// Strings are UTF-8. All JSON in it must use the default storage (not a monotonic resource), so that a
/// shared session may be copied from several threads at once. Value type otherwise.
class Session {
 public:
  Session() {}
  explicit Session(SessionId session_id) : id(std::move(session_id)) {}

  Session& set_agent(AgentId value) { return agent_id = std::move(value), *this; }
  Session& set_user(std::string value) { return user_id = std::move(value), *this; }
  Session& set_project(std::string value) { return project_id = std::move(value), *this; }
  Session& set_parent(SessionId value) { return parent_id = std::move(value), *this; }
  Session& set_title(std::string value) { return title = std::move(value), *this; }
  Session& set_metadata(std::string_view key, json::value value);
  Session& add_message(Message message) { return messages.push_back(std::move(message)), *this; }
  Session& add_message(std::string role, json::value content) {
    return messages.emplace_back(std::move(role), std::move(content)), *this;
  }
  template <StandardString Text>
  Session& add_message(std::string role, const Text& text) {
    return messages.emplace_back(std::move(role), text), *this;
  }

  /// Equality of all that a user writes: not revision, updated_at, completeness and stored_bytes.
  bool same_content(const Session& other) const;

  SessionId id;
  AgentId agent_id;        ///< empty: no agent
  std::string user_id;     ///< at most 1,024 bytes, as project_id
  std::string project_id;  ///< empty: no project
  SessionId parent_id;     ///< the session this one was forked or spawned from; empty: none
  std::string title;       ///< empty: derived, see title_of
  Timestamp created_at;    ///< stamped by the store on the first write
  Timestamp updated_at;    ///< stamped by the store on every write
  /// The stored state this value was read from, 0 if none. The first is the creation time in microseconds
  /// since 1970, each write raises it by one. save ignores it unless SaveOptions::unchanged_since is asked
  /// for.
  Revision revision = 0;
  std::vector<Message> messages;
  std::vector<TrajectoryStep> trajectory;
  json::object metadata;
  json::object extra;  ///< every field of the document that is none of the above

  /// partial: loaded with LoadOptions that leave messages out. Saving such a value is refused.
  Completeness completeness = Completeness::whole;
  std::uint64_t omitted_messages = 0;  ///< messages before messages.front() that were left out
  std::uint64_t stored_bytes = 0;      ///< size of what was read, 0 if never stored; ignored by save
};

/// What load returns. Immutable, may be shared and copied between threads.
using SessionPtr = std::shared_ptr<const Session>;

/// The title to show: Session::title, else metadata.title, else the first line of the first user message, cut
/// at 60 characters (code points) with an ellipsis; empty when there is none of these.
std::string title_of(const Session& session);

/// True when metadata.pinned is true: such a session is kept by prune.
bool is_pinned(const Session& session) noexcept;

}  // namespace sessile
