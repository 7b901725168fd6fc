// Gathers the records of one transcript into a Session from which each can be rebuilt.
#pragma once

#include "import/records.hpp"

#include <string>
#include <string_view>

namespace sessile::importing {

/// Makes one Session out of Records given in the file's order.
///
/// A message's extra.source is {line, index, record, moved}: the original record, where what became the
/// message's content is replaced by null, and in `moved` the JSON pointer of that null → the pointer into the
/// message. A record that is no message is in the session's extra.source.records, as {line, index, record}.
/// So nothing is kept twice.
class SessionBuilder {
 public:
  explicit SessionBuilder(std::string agent) { session_.agent_id = std::move(agent); }

  /// Adds a message whose content is what `record` holds at `pointer`; null content when there is nothing.
  void add_message(std::string role, Record record, const std::string& pointer);
  /// The same, the content being an array of that one value.
  void add_block_message(std::string role, Record record, const std::string& pointer);
  /// Keeps a record that is no message.
  void keep(Record record);

  /// The last one wins; an empty one is ignored.
  void set_title(std::string_view title);
  /// Keeps the first, or with `last` the last, non-empty text of that name.
  void note(std::string_view key, std::string_view text);
  void note_last(std::string_view key, std::string_view text);
  void set_parent(std::string_view id) { session_.parent_id = SessionId(id); }

  /// The session. Its times are those of the earliest and the latest record; `fallback` where none has a
  /// time.
  Session finish(SessionId id, TimePoint fallback);

 private:
  json::object source_of(Record& record);
  void add(std::string role, Record record, const std::string& pointer, bool as_block);

  Session session_;
  json::array others_;
  std::optional<TimePoint> first_;
  std::optional<TimePoint> last_;
};

}  // namespace sessile::importing
