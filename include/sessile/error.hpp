// What can go wrong, said so that a program can decide and a person can act.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sessile {

/// Number that identifies one state of a stored session. See Session::revision.
using Revision = std::uint64_t;

/// The kinds of failure. The set is closed: every operation of every backend reports one of these.
enum class Errc {
  not_found = 1,     ///< no session of that id is stored
  conflict,          ///< the stored revision is not the expected one; see Error::expected and Error::actual
  locked,            ///< another owner held the lock until the deadline
  corrupt,           ///< what is stored cannot be read; see Error::path and Error::offset
  invalid_argument,  ///< the caller's input is refused; nothing was touched
  too_large,         ///< a limit of the store would be crossed; nothing was written
  unavailable,       ///< the place of the store cannot be reached or opened
  indeterminate,     ///< whether the write happened, or is durable, is not known
  cancelled,         ///< cancelled before the commit point: nothing happened
  timed_out,         ///< the deadline passed before the commit point: nothing happened
  unsupported,       ///< this backend, or this way of opening it, cannot do that
  closed,            ///< the store, or the handle, was closed
  io,                ///< the operating system refused; see Error::cause
};

/// The category of the values of Errc. Never destroyed. Thread-safe.
const boost::system::error_category& error_category() noexcept;

/// Wraps a kind of failure in Sessile's own category.
boost::system::error_code make_error_code(Errc code) noexcept;

/// The kind's stable name, as the command prints it: "not_found", "conflict" …
std::string_view name(Errc code) noexcept;

/// Who holds a lock, as far as that can be known; 0 and "" stand for unknown.
struct LockHolder {
  LockHolder() {}
  std::int64_t pid = 0;
  std::string host;
  std::string since;  ///< RFC 3339, UTC
};

/// One failure: its kind, what was attempted on what, and why. Copying is cheap and does not throw.
///
/// Never holds message bodies or credentials. Text that came from outside (a server, an exception) is kept
/// apart in outside_text(), so that it is not mistaken for ours. Setters return the object, to be chained.
/// Thread safety: distinct objects may be used from distinct threads, copies of one error included.
class Error {
 public:
  /// An error that says nothing yet; `code()` is Errc::io.
  Error() noexcept {}
  explicit Error(Errc code) noexcept : code_(code) {}
  Error(Errc code, std::string_view detail) : code_(code) { with_detail(detail); }

  Errc code() const noexcept { return code_; }
  /// The operation that failed: "save", "load" … Empty when the failure is not an operation's.
  const std::string& operation() const noexcept { return fields().operation; }
  /// The backend's name: "memory", "filesystem" …
  const std::string& backend() const noexcept { return fields().backend; }
  /// The id the operation was about; control characters are shown escaped by message().
  const std::string& key() const noexcept { return fields().key; }
  /// What exactly is wrong, and what to do about it where that is not plain.
  const std::string& detail() const noexcept { return fields().detail; }
  /// Text from a server or a foreign exception, unchanged.
  const std::string& outside_text() const noexcept { return fields().outside_text; }
  /// The file concerned, if there is one.
  const std::string& path() const noexcept { return fields().path; }
  /// Byte offset in path() of what cannot be read.
  std::optional<std::uint64_t> offset() const noexcept { return fields().offset; }
  /// conflict: the revision asked for; empty when the session was expected to be absent.
  std::optional<Revision> expected() const noexcept { return fields().expected; }
  /// conflict: the revision stored; empty when no session is stored.
  std::optional<Revision> actual() const noexcept { return fields().actual; }
  /// locked: who holds the lock, where that can be known.
  const std::optional<LockHolder>& holder() const noexcept { return fields().holder; }
  /// locked: how long was waited.
  std::optional<std::chrono::milliseconds> waited() const noexcept { return fields().waited; }
  /// The operating system's error behind this one; false in a boolean context when there is none.
  const boost::system::error_code& cause() const noexcept { return fields().cause; }

  /// True when the same call, made again unchanged, can succeed: locked, unavailable, timed_out.
  bool retryable() const noexcept;

  /// One line for people: kind, operation, key, place, detail, cause and what to do next.
  std::string message() const;

  Error& with_operation(std::string_view text);
  Error& with_backend(std::string_view text);
  Error& with_key(std::string_view text);
  Error& with_detail(std::string_view text);
  Error& with_outside_text(std::string_view text);
  Error& with_path(std::string_view text);
  Error& with_offset(std::uint64_t bytes);
  Error& with_revisions(std::optional<Revision> expected, std::optional<Revision> actual);
  Error& with_holder(LockHolder holder);
  Error& with_waited(std::chrono::milliseconds time);
  Error& with_cause(boost::system::error_code cause);

 private:
  struct Fields {
    std::string operation, backend, key, detail, outside_text, path;
    std::optional<std::uint64_t> offset;
    std::optional<Revision> expected, actual;
    std::optional<LockHolder> holder;
    std::optional<std::chrono::milliseconds> waited;
    boost::system::error_code cause;
  };
  const Fields& fields() const noexcept;
  Fields& own_fields();

  Errc code_ = Errc::io;
  std::shared_ptr<const Fields> fields_;  // shared between copies: cloned before it is changed
};

/// Carries an Error out of Result::value(), for those who prefer exceptions. what() is Error::message().
class SystemError : public boost::system::system_error {
 public:
  explicit SystemError(Error error);
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

}  // namespace sessile

template <>
struct boost::system::is_error_code_enum<sessile::Errc> : std::true_type {};
