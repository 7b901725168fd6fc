// What was done to sessions, when, and what came back: the input of the checker.
#pragma once

#include <sessile/error.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::linearizability {

enum class Kind { save, load, append, update, remove };

/// What a write expected to find.
enum class Expect { any, absent, exactly };

enum class Outcome {
  ok,
  not_found,
  conflict,
  nothing,  ///< refused before the commit point (timed_out, locked): by contract nothing happened
  unknown,  ///< indeterminate, or the process died: it took effect at some later time, or never
};

/// A session as far as the checker looks: who wrote it as a whole, and the messages, all by their tags.
class Content {
 public:
  Content() {}
  int base = 0;
  std::vector<int> messages;
  friend bool operator==(const Content&, const Content&) = default;
  std::string text() const;
};

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// One call. Times are CLOCK_MONOTONIC nanoseconds: comparable between the processes of one machine.
class Operation {
 public:
  Operation() {}
  int process = 0;
  int client = 0;
  int session = 0;
  Kind kind = Kind::load;
  Expect expect = Expect::any;
  Revision expected = 0;
  int tag = 0;  ///< what it writes; unique in a history but for appends of one key
  int key = 0;  ///< of an append; 0: none
  std::int64_t invoked = 0;
  std::int64_t returned = kNever;

  Outcome outcome = Outcome::unknown;
  Revision revision = 0;  ///< returned, or read
  bool replayed = false;
  std::optional<Revision> actual;  ///< conflict: what was stored; empty: nothing
  Content content;                 ///< read, or returned by update

  bool is_write() const noexcept { return kind != Kind::load; }
  std::string text() const;
};

using History = std::vector<Operation>;

/// What an update or a save of this tag makes of the content; appends add the tag and its negative.
Content after_update(Content content, int tag);
Content after_save(int tag);
Content after_append(Content content, int tag);

/// Lines of a journal: the first before the operation starts, the second when it has returned.
std::string invocation_line(int number, const Operation& operation);
std::string return_line(int number, const Operation& operation);

/// Reads the journal of one process. An operation that did not return is unknown. A line that a kill cut off
/// is passed over. Throws std::runtime_error for what no journal holds, and for a line `bad …`.
History read_journal(std::string_view text);

std::int64_t monotonic_now();

}  // namespace sessile::linearizability
