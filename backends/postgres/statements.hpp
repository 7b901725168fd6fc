// The SQL of the store: plain statements, so that other engines that speak the protocol run them too.
#pragma once

#include "values.hpp"

#include <sessile/options.hpp>

#include <string>
#include <vector>

namespace sessile::postgres {

/// What the store runs, with the schema's quoted name in its place. README.md tells the tables.
///
/// A write is one transaction, sent in one go. Its first statement on `sessions` decides: it changes the row
/// only where the conditions hold, puts the write's random `writer` number in it and keeps it locked. Those
/// after it act only where that number stands, and the probe at the end reads what came of it. Each has a
/// snapshot of its own, taken when the lock was won.
class Statements {
 public:
  explicit Statements(const std::string& schema);

  Statement begin, commit, rollback;
  Statement settings_power, settings_process;
  Statement lock;
  Statement save_any, save_absent, save_exact;
  Statement outbid_retired, sweep_retired;
  Statement cut_messages, add_messages, add_messages_keyed;
  Statement append, append_keyed;
  Statement remember, forget, recall;
  Statement remove_session, remove_messages, remove_appends;
  Statement probe;
  Statement load, load_many;
  Statement unsound;
  Statement version, touch, sync;
  /// `SELECT` of the columns of a summary, without conditions.
  std::string select_summaries;
};

/// The columns of a summary, in the order of `select_summaries`, and at the start of `load`.
namespace column {
inline constexpr int kId = 0, kAgent = 1, kUser = 2, kProject = 3, kParent = 4, kTitle = 5, kPinned = 6,
                     kCreated = 7, kCreatedText = 8, kUpdated = 9, kUpdatedText = 10, kRevision = 11,
                     kMessages = 12, kBytes = 13;
// Of `load` only.
inline constexpr int kSound = 14, kEnvelope = 15, kBodies = 16;
}  // namespace column

/// The columns of `probe`.
namespace probe_column {
inline constexpr int kRevision = 0, kCreated = 1, kCreatedText = 2, kUpdated = 3, kUpdatedText = 4,
                     kWriter = 5, kSound = 6, kBytes = 7;
}  // namespace probe_column

/// The newest version of the tables, and the one this library writes.
inline constexpr std::int64_t kSchemaVersion = 1;

/// The statements that take the tables from version `from` to the next.
std::vector<Statement> migration(const std::string& schema, std::int64_t from);

}  // namespace sessile::postgres
