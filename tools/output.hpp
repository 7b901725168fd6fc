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

/// At most `columns` code points, the last an ellipsis when that cut any off.
std::string shortened(std::string_view text, std::size_t columns);

/// The number of code points.
std::size_t width(std::string_view text) noexcept;

}  // namespace sessile::tools
