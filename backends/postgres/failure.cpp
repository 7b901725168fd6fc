#include "failure.hpp"

#include <algorithm>
#include <array>

namespace sessile::postgres {

namespace {

/// What an SQLSTATE, or a class of them, is for the caller.
class Meaning {
 public:
  std::string_view state;  // of 5 characters, or 2 for all of a class
  Errc code;
  std::string_view detail;
  int system = 0;  // the system's error that says the same
};

// The first that matches counts.
constexpr std::array kMeanings = {
    Meaning{"28P01", Errc::unavailable, "the server refused the user or the password"},
    Meaning{"28", Errc::unavailable, "the server refused the user (see its pg_hba.conf)"},
    Meaning{"3D000", Errc::unavailable, "there is no such database on the server"},
    Meaning{"53300", Errc::unavailable, "the server has too many connections; lower pool_size"},
    Meaning{"53100", Errc::unavailable, "the server's disk is full", boost::system::errc::no_space_on_device},
    Meaning{"53200", Errc::unavailable, "the server is out of memory",
            boost::system::errc::not_enough_memory},
    Meaning{"53", Errc::unavailable, "the server lacks a resource"},
    Meaning{"54", Errc::too_large, "a limit of the server would be crossed"},
    Meaning{"25006", Errc::unavailable,
            "the server is read-only, perhaps a standby; target_session_attrs=read-write finds the primary",
            boost::system::errc::read_only_file_system},
    Meaning{"55P03", Errc::locked, "another writer held the session"},
    Meaning{"57014", Errc::timed_out, "the server gave up the statement at its deadline"},
    Meaning{sqlstate::kUniqueViolation, Errc::unavailable, "another writer kept being faster"},
    Meaning{"40", Errc::unavailable, "the server kept undoing the write in favour of others"},
    Meaning{"57", Errc::unavailable, "the server shuts down, starts, or ended the connection"},
    Meaning{"08", Errc::unavailable, "the connection to the server failed"},
    Meaning{"25P", Errc::unavailable, "the server ended the transaction for want of time"},
    Meaning{"42501", Errc::unavailable, "the user lacks a right in the database"},
    Meaning{"42P01", Errc::unavailable, "the store's tables are not there"},
    Meaning{"3F000", Errc::unavailable, "the store's schema is not there"},
    Meaning{"0A000", Errc::unsupported, "the server lacks a feature that is needed"},
    Meaning{"22021", Errc::unsupported, "the database does not take UTF-8; create one with that encoding"},
    Meaning{"22P05", Errc::unsupported, "the database does not take UTF-8; create one with that encoding"},
    Meaning{"XX001", Errc::corrupt, "the server found its data corrupted"},
    Meaning{"XX002", Errc::corrupt, "the server found an index corrupted"},
    Meaning{"58", Errc::io, "the server had an input/output error", boost::system::errc::io_error},
};

constexpr std::size_t kMostServerText = 300;

}  // namespace

bool Failure::undone_and_worth_another_try() const noexcept {
  if (cause != Cause::server) return false;
  constexpr std::array<std::string_view, 8> kStates = {"40001", "40P01", "25006", "57P01",
                                                       "57P02", "57P03", "57P05", sqlstate::kUniqueViolation};
  return std::find(kStates.begin(), kStates.end(), state) != kStates.end();
}

bool Failure::worth_another_connection() const noexcept {
  if (cause == Cause::cancelled) return false;
  const std::string_view first = std::string_view(state).substr(0, 2);
  return !(first == "28" || first == "3D" || first == "42" || first == "0A" || first == "22");
}

bool Failure::leaves_outcome_open(bool at_commit) const noexcept {
  if (cause != Cause::server) return true;
  // Class 08 is what a pooler in between says when its own connection broke, and 40003 what a distributed
  // engine says of itself: neither tells how far the rest had come.
  const std::string_view first = std::string_view(state).substr(0, 2);
  if (first == "08" || state == "40003") return true;
  // A cancelled COMMIT was undone: from the moment at which the server records a commit it takes no request
  // to cancel (but warns when it stopped waiting for a standby). Of a server that goes down nobody knows as
  // much.
  return at_commit && first == "57" && state != sqlstate::kQueryCancelled;
}

Error to_error(const Failure& failure) {
  if (failure.cause == Failure::Cause::cancelled) return Error(Errc::cancelled);
  if (failure.cause != Failure::Cause::server) {
    return Error(Errc::unavailable,
                 failure.text.empty() ? "the connection to the server broke" : failure.text);
  }
  const auto found = std::find_if(kMeanings.begin(), kMeanings.end(), [&](const Meaning& meaning) {
    return failure.state.starts_with(meaning.state);
  });
  Error error = found != kMeanings.end() ? Error(found->code, found->detail)
                                         : Error(Errc::io, "the server refused a statement");
  if (found != kMeanings.end() && found->system != 0)
    error.with_cause({found->system, boost::system::generic_category()});
  std::string said = failure.state;
  if (!failure.text.empty()) said += ": " + failure.text.substr(0, kMostServerText);
  return error.with_outside_text(said);
}

Error indeterminate(std::string_view why) {
  return Error(Errc::indeterminate, why);
}

}  // namespace sessile::postgres
