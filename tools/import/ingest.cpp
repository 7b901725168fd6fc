#include "import/ingest.hpp"

#include "import/records.hpp"

#include <sessile/blocking.hpp>
#include <sessile/copy.hpp>

namespace sessile::importing {
namespace {

const json::value* import_note(const Session& session) noexcept {
  const json::value* note = session.metadata.if_contains("import");
  return note != nullptr && note->is_object() ? note : nullptr;
}

bool same_text(const json::value& a, const json::value& b, std::string_view key) noexcept {
  const std::string_view text = string_at(a, key);
  return !text.empty() && text == string_at(b, key);
}

Error left_alone(const Session& stored, std::string_view why) {
  return Error(Errc::conflict, why).with_operation("import").with_key(stored.id.str());
}

// What to do about a session that is there already: nothing, replace it (true), or complain.
Result<bool> may_replace(const Session& stored, const json::value& note) {
  const json::value* theirs = import_note(stored);
  if (theirs == nullptr) {
    return left_alone(stored, "a session of that id, not imported, is there; it is left as it is");
  }
  if (same_text(*theirs, note, "sha256")) return false;
  if (!same_text(*theirs, note, "source")) {
    return left_alone(stored, "a session of that id was imported from another file; it is left as it is");
  }
  // Every other write than ours moves updated_at on.
  if (string_at(*theirs, "updated_at") != stored.updated_at.text()) {
    return left_alone(
        stored,
        "both the file and the session changed since the import; the session is left as it is. Remove it "
        "to import the file anew");
  }
  return true;
}

SaveOptions import_options(SaveOptions options) {
  return options.times(Times::preserve);
}

// An id that is taken by the time we save: another importer was faster, or a person.
Result<Outcome> save_as(SessionStore& store, const SessionPtr& session, SaveOptions options,
                        Outcome outcome) {
  const Result<Written> written = blocking::save(store, session, options);
  if (!written) return written.error();
  return outcome;
}

Result<Outcome> compare_with_stored(SessionStore& store, const SessionPtr& session) {
  const Result<SessionPtr> stored = blocking::load(store, session->id);
  if (!stored) return stored.error();
  // As it would be stored: what the store stamps, and what follows that, is no difference.
  Session ours = *session;
  if (ours.created_at.empty()) ours.created_at = (*stored)->created_at;
  ours.updated_at = (*stored)->updated_at;
  if (content_hash(ours) == content_hash(**stored)) return Outcome::unchanged;
  return left_alone(**stored, "another session of that id is there; it is left as it is");
}

}  // namespace

std::string_view name(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::imported:
      return "imported";
    case Outcome::replaced:
      return "replaced";
    case Outcome::unchanged:
      return "unchanged";
  }
  return {};
}

Result<Outcome> ingest(SessionStore& store, Session value, Format format, SaveOptions options) {
  const auto session = std::make_shared<const Session>(std::move(value));
  const Result<SessionPtr> stored =
      blocking::load(store, session->id, LoadOptions().without_messages().timeout(options.timeout()));
  if (!stored) {
    const Error error = stored.error();
    if (error.code() != Errc::not_found) return error;
    return save_as(store, session, import_options(options).if_absent(), Outcome::imported);
  }
  const json::value* note = import_note(*session);
  if (format == Format::sessile || note == nullptr) return compare_with_stored(store, session);
  const Result<bool> replace = may_replace(**stored, *note);
  if (!replace) return replace.error();
  if (!*replace) return Outcome::unchanged;
  return save_as(store, session, import_options(options).if_revision((*stored)->revision), Outcome::replaced);
}

}  // namespace sessile::importing
