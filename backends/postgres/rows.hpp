// Between a Session and the rows it is kept in.
#pragma once

#include "statements.hpp"
#include "values.hpp"

#include <sessile/backend.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace sessile::postgres {

/// A value, and a message of the protocol, hold at most 1 GiB: no session is read or written that is larger.
inline constexpr std::uint64_t kMostBytes = 1'000'000'000;
inline std::uint64_t session_limit(const Limits& limits) noexcept {
  return std::min(limits.session_bytes, kMostBytes);
}

/// A session as it goes into the tables: its envelope (the document without messages, times and revision) and
/// the bodies of its messages, from `first` on.
class SessionRows {
 public:
  SessionRows() {}
  std::string envelope;
  std::vector<std::string> bodies;
  std::optional<std::string> title;  // a JSON string; empty: no message and nothing else has given one yet
};
SessionRows rows_of(const Session& session, std::size_t first);

std::vector<std::string> bodies_of(const std::vector<Message>& messages);

/// The title that `messages` give a session without one; empty when none is a user's.
std::optional<std::string> title_from(std::vector<Message> messages);

/// A JSON string: text columns take no U+0000, JSON escapes it.
std::string as_json_text(std::string_view text);

/// Errors: corrupt.
Result<SessionSummary> summary_at(const Reply& reply, int row);

inline constexpr std::int64_t kAllMessages = std::numeric_limits<std::int64_t>::max();

/// The session in a row of `load`, with at most `last` messages. Errors: corrupt, too_large, unsupported.
Result<SessionPtr> session_at(const Reply& reply, int row, std::int64_t last, const Limits& limits);

/// What `probe` found of a session.
class Probe {
 public:
  Probe() {}
  Written written;
  std::int64_t writer = 0;
  std::uint64_t stored_bytes = 0;
  /// Why the row cannot be relied upon. No reason to deny a write that left its number in it: that was
  /// committed, and `written` is what can be read of it.
  std::optional<Error> damage;
};
/// Empty when there is no such session.
std::optional<Probe> probe_in(const Reply& reply);

/// The append that `recall` found; empty when it found none. Errors: corrupt.
Result<std::optional<AppendMemory::Entry>> append_in(const Reply& reply, std::string key);

/// What is stored cannot be read.
Error unreadable(std::string_view why);

std::int64_t micros(TimePoint time) noexcept;
/// The text another program wrote a time as; empty when it is our own form.
std::optional<std::string> original_of(const Timestamp& time);

}  // namespace sessile::postgres
