// How the command writes: results to stdout, all else to stderr.
#pragma once

#include <sessile/error.hpp>
#include <sessile/results.hpp>

#include <boost/json/object.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace sessile::tools {

/// stdout cannot be written to. `cause` is the system's error number; EPIPE: nobody reads any more.
class OutputFailure : public std::runtime_error {
 public:
  explicit OutputFailure(int cause_);
  int cause;
};

/// Writes to stdout. Throws OutputFailure.
void print(std::string_view text);
void print_line(std::string_view text);
void print_json(const json::value& value);
/// The same for what is serialized already.
void print_json_line(std::string_view text);
/// Writes what is buffered. Throws OutputFailure. To be called last: a full disk shows here.
void flush_output();

/// `sessile: …` on stderr, or with `as_json` one line {"error": {code, message, …}}.
void print_error(const Error& error, bool as_json);
void print_error(std::string_view code, std::string_view message, bool as_json);
/// A remark on stderr that is no failure.
void print_note(std::string_view text);

/// {code, message, retryable} and what else an error knows.
json::object to_json(const Error& error);
json::object to_json(const Written& written);

enum class Lines { one, many };
/// Text from outside, safe to show on a terminal: control characters and those that turn the direction of
/// writing become \xNN or \u{NNNN}. With Lines::many line feeds and tabs stay.
std::string visible(std::string_view text, Lines lines = Lines::one);
/// Serialized JSON, safe to show on a terminal: the characters that visible() replaces, which only a string
/// can hold, become \uNNNN. It reads back as the same value.
std::string visible_json(std::string_view text);
/// Text from outside for a string of JSON, which holds nothing but UTF-8: as it is, or as visible() shows it.
std::string text_for_json(std::string_view text);

/// At most `columns` code points, the last an ellipsis when that cut any off.
std::string shortened(std::string_view text, std::size_t columns);

/// The number of code points.
std::size_t width(std::string_view text) noexcept;

}  // namespace sessile::tools
