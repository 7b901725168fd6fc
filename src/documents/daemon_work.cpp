#include "documents/daemon_work.hpp"

#include "documents/file.hpp"
#include "json/pretty.hpp"
#include "storage/quarantine.hpp"
#include "storage/replace_file.hpp"

#include <map>
#include <mutex>

namespace sessile::detail {
namespace {

/// Entries of first_turn_pending that were taken in this process although that could not be stored. Each is
/// known by its value too: an entry that another process made anew for the same session is another one.
class UnsavedTurns {
 public:
  /// Never destroyed.
  static UnsavedTurns& instance() {
    static auto& turns = *new UnsavedTurns;
    return turns;
  }

  void add(const storage::Directory& directory, const std::string& name, const std::string& id,
           std::string value) {
    const std::lock_guard lock(mutex_);
    turns_[Key(directory.identity(), name)].insert_or_assign(id, std::move(value));
  }
  void clear(const storage::Directory& directory, const std::string& name) {
    const std::lock_guard lock(mutex_);
    turns_.erase(Key(directory.identity(), name));
  }
  /// Takes them out of a state as it was read.
  void subtract(const storage::Directory& directory, const std::string& name, DaemonFields& fields) {
    json::object* const entries = pending_entries(fields.document());
    if (entries == nullptr) return;
    const std::lock_guard lock(mutex_);
    const auto taken = turns_.find(Key(directory.identity(), name));
    if (taken == turns_.end()) return;
    for (const auto& [id, value] : taken->second) {
      const json::value* const entry = entries->if_contains(id);
      if (entry != nullptr && text_of(*entry) == value) entries->stable_erase(id);
    }
  }

  static std::string text_of(const json::value& value) {
    std::string text;
    write_json(text, value);
    return text;
  }

 private:
  using Key = std::pair<storage::FileIdentity, std::string>;
  std::mutex mutex_;
  std::map<Key, std::map<std::string, std::string>> turns_;  // protected by mutex_
};

/// Malformed: nothing a daemon could go on with.
bool is_malformed(const Error& error) noexcept {
  return error.code() == Errc::corrupt || error.code() == Errc::too_large;
}

std::string quarantine_name(const std::string& file) {
  // Leaves room in 255 bytes for what is added here, and to the name of a temporary file.
  constexpr std::size_t kMostNameBytes = 150;
  return storage::name_aside(file, ".quarantine-", kMostNameBytes);
}

std::string printed(const json::object& document) {
  std::string text;
  write_pretty_json(text, document);
  return text += '\n';
}

}  // namespace

bool has_sound_entries(const json::object& document) noexcept {
  const json::value* const entries = document.if_contains(kFirstTurnPending);
  return entries == nullptr || entries->is_null() || entries->is_object();
}

Result<std::optional<DaemonFields>> read_sound_state(storage::Directory& directory, const std::string& name,
                                                     const Limits& limits) {
  auto stored = read_json_file(directory, name, limits);
  if (!stored) {
    const Error error = stored.error();
    if (is_malformed(error)) return std::optional<DaemonFields>();
    return error;
  }
  DaemonFields fields;
  if (*stored) {
    json::value& value = (*stored)->value;
    if (!value.is_object() || !has_sound_entries(value.get_object())) return std::optional<DaemonFields>();
    fields = DaemonFields(std::move(value.get_object()));
    UnsavedTurns::instance().subtract(directory, name, fields);
  }
  return std::optional<DaemonFields>(std::move(fields));
}

Result<void> ChangeDaemonState::prepare(const DocumentCore& core) {
  limits_ = core.limits;
  durability_ = core.durability(std::nullopt);
  return success();
}

Result<void> ChangeDaemonState::quarantine(storage::Directory& directory, std::string_view text, Aside aside,
                                           storage::CommitGate& gate) {
  const std::string file = json_file(name_);
  std::string name = quarantine_name(file);
  // rename replaces what is there; nobody but us, under this lock, makes such names.
  while (directory.info(name))
    name = quarantine_name(file);
  if (aside == Aside::copy) {
    const auto copied = storage::replace_file(directory, name, text, durability_, gate);
    if (!copied) return copied.error();
  } else {
    if (!gate.try_commit()) return Error(Errc::cancelled);
    if (const auto moved = directory.rename(file, name); !moved) {
      return storage::system_error(moved.error(), "cannot put the malformed state aside", directory, file);
    }
    if (durability_ == Durability::power) {
      if (const auto synced = directory.sync(); !synced) {
        return Error(Errc::indeterminate, "the malformed state was put aside, but its directory not synced")
            .with_path((directory.path() / name).string())
            .with_cause(synced.error());
      }
    }
  }
  quarantined_ = (directory.path() / name).string();
  return success();
}

Result<DaemonFields> ChangeDaemonState::read_or_heal(storage::Directory& directory,
                                                     storage::CommitGate& gate) {
  const std::string file = json_file(name_);
  const auto text = read_text(directory, file, limits_);
  if (!text && !is_malformed(text.error())) return text.error();
  if (text && !*text) return DaemonFields();
  auto value = text ? parse_document(**text, directory, file, limits_) : Result<json::value>(text.error());
  if (!value || !value->is_object()) {
    value.ignore();
    if (const auto aside = quarantine(directory, {}, Aside::move, gate); !aside) return aside.error();
    return DaemonFields();
  }
  json::object& document = value->get_object();
  if (!has_sound_entries(document)) {
    if (const auto aside = quarantine(directory, **text, Aside::copy, gate); !aside) return aside.error();
    document.stable_erase(kFirstTurnPending);
    file_is_malformed_ = true;
  }
  return DaemonFields(std::move(document));
}

Result<ChangeDaemonState::Outcome> ChangeDaemonState::commit(storage::Directory& directory,
                                                             storage::CommitGate& gate) {
  auto stored = read_or_heal(directory, gate);
  if (!stored) return stored.error();
  Outcome outcome;
  outcome.quarantined = quarantined_;
  outcome.fields = *stored;
  UnsavedTurns& unsaved = UnsavedTurns::instance();
  unsaved.subtract(directory, name_, outcome.fields);

  std::optional<std::string> taken;  // the value of the entry that is consumed
  if (const json::object* const entries = pending_entries(outcome.fields.document()); consumed_ && entries) {
    const json::value* const entry = entries->if_contains(*consumed_);
    if (entry != nullptr) taken = UnsavedTurns::text_of(*entry);
  }
  if (const auto changed = change_(outcome.fields); !changed) return changed.error();

  // Compared as text: json::value holds objects for equal whose fields are in another order.
  if (printed(outcome.fields.document()) == printed(stored->document()) && !file_is_malformed_ &&
      settle_file(directory, json_file(name_), durability_)) {
    unsaved.clear(directory, name_);  // what was remembered is in the file no more
    return outcome;
  }
  const auto text = print_document(outcome.fields.document(), limits_);
  if (!text) return text.error();
  const auto written = storage::replace_file(directory, json_file(name_), *text, durability_, gate);
  if (written) {
    unsaved.clear(directory, name_);
    return outcome;
  }
  const Error failure = written.error();
  if (!taken || failure.code() == Errc::cancelled) return failure;
  unsaved.add(directory, name_, *consumed_, *std::move(taken));
  outcome.not_saved = failure;
  return outcome;
}

}  // namespace sessile::detail
