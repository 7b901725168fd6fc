// JSON as Sessile reads and writes it: exactly, within limits, losing no field.
#pragma once

#include <sessile/capabilities.hpp>
#include <sessile/results.hpp>

#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace sessile {

/// Where a text came from decides what a fault in it is called.
enum class Origin {
  stored,  ///< a fault is corrupt
  caller,  ///< a fault is invalid_argument
};

/// Reads one JSON text (a UTF-8 byte order mark before it is skipped).
///
/// Integers become int64 or uint64, all other numbers the nearest double; a number that none of these holds
/// (1e400, a 30-digit integer) is refused, and -0 stays a double. Of equal keys the last wins. Invalid UTF-8
/// and lone surrogates are refused, U+0000 is kept. Errors carry offset() and "line L, column C" in detail();
/// too_large when Limits::depth is crossed, or the text is longer than twice Limits::session_bytes and 1 MiB:
/// it may be indented, and hold more than the session. Storage is the default one. Thread-safe.
Result<json::value> parse_json(std::string_view text, Origin origin, const Limits& limits = Limits());

/// Appends compact JSON, on one line, to `out`. Doubles are written shortest and read back as the same
/// double. Precondition: `value` holds only finite numbers and UTF-8 (see measure); nothing is checked here.
void write_json(std::string& out, const json::value& value);

/// Size in bytes of `session` or `message` as compact JSON, having checked all of it: UTF-8, finite numbers,
/// no `extra` that shadows a known field, depth and sizes within `limits`. Errors: invalid_argument (detail()
/// names the place as a JSON pointer), too_large.
///
/// What a store writes anew, a session's times and revision, counts at its widest, and each message with a
/// comma: an appended message adds its own size and 1, and a session that could be stored can be saved again.
Result<std::uint64_t> measure(const Session& session, const Limits& limits);
Result<std::uint64_t> measure(const Message& message, const Limits& limits);

/// A session's JSON document on one line: what `sessile show --json` prints and `save` takes.
/// Precondition: measure(session) succeeded.
std::string encode_session(const Session& session);

/// Reads a session's document: ours, the reference library's (`loops`, `last_active_at`, `parent_spawn_ref`)
/// or the agent operating system's (`user_messages`, `agent_responses`); fields unknown to us go to `extra`
/// at each level. Errors: as parse_json; a known field of the wrong type; a newer format version
/// (unsupported).
Result<Session> decode_session(std::string_view text, Origin origin, const Limits& limits = Limits());
/// The same for a value already parsed; takes its parts over.
Result<Session> session_from_json(json::value document, Origin origin, const Limits& limits = Limits());

/// One message's JSON object on one line. Precondition: measure(message) succeeded.
std::string encode_message(const Message& message);
Result<Message> decode_message(std::string_view text, Origin origin, const Limits& limits = Limits());
Result<Message> message_from_json(json::value document, Origin origin);

/// A summary's JSON object on one line: what `sessile ls --json` prints.
std::string encode_summary(const SessionSummary& summary);

/// A JSON string literal of `text`, quotes included.
void write_json_string(std::string& out, std::string_view text);

}  // namespace sessile
