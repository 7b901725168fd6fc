// What went wrong between us and the server, and what that means.
#pragma once

#include <sessile/error.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace sessile::postgres {

/// SQLSTATEs that something is done about.
namespace sqlstate {
inline constexpr std::string_view kQueryCancelled = "57014";
inline constexpr std::string_view kReadOnly = "25006";
inline constexpr std::string_view kNoTable = "42P01";
inline constexpr std::string_view kNoSchema = "3F000";
/// Of an append whose key another one, unseen by it, has remembered meanwhile.
inline constexpr std::string_view kUniqueViolation = "23505";
inline constexpr std::string_view kNotInEncoding = "22021";
}  // namespace sqlstate

class Failure {
 public:
  enum class Cause {
    server,      ///< the server said so: `state` is its SQLSTATE
    connection,  ///< the connection broke, or could not be made
    cancelled,   ///< a read was given up by its caller
    silence,     ///< no answer in time after a cancellation: the connection was dropped
  };
  Failure() {}
  Failure(Cause cause_, std::string state_, std::string text_)
      : cause(cause_), state(std::move(state_)), text(std::move(text_)) {}

  /// The server undid the work, and the same again may succeed: a serialization failure, a deadlock, a
  /// restart, a standby in the place of the primary, a key that another append had remembered meanwhile.
  bool undone_and_worth_another_try() const noexcept;
  /// Whether another attempt to connect may succeed.
  bool worth_another_connection() const noexcept;
  bool no_place() const noexcept { return state == sqlstate::kNoTable || state == sqlstate::kNoSchema; }
  /// Whether what became of a transaction is open, when this came in the place of an answer to its `COMMIT`,
  /// or to a command before that.
  bool leaves_outcome_open(bool at_commit) const noexcept;

  Cause cause = Cause::connection;
  std::string state;   ///< empty when it is not the server's
  std::string text;    ///< the server's words, or ours
  std::size_t at = 0;  ///< the command of the flight that failed
};

/// The failure as an operation's error; nothing happened. Holds no credentials.
Error to_error(const Failure& failure);

/// The outcome of a commit is not known.
Error indeterminate(std::string_view why);

}  // namespace sessile::postgres
