#include <sessile/backend.hpp>

#include <algorithm>

namespace sessile {

Result<void> check_revision(const RevisionCheck& check, const std::optional<Revision>& stored) {
  if (check.is_any()) return success();
  if (check.revision() == stored) return success();
  return Error(Errc::conflict).with_revisions(check.revision(), stored);
}

Written Stamper::next(const std::optional<StoredState>& stored, const Session& session, Times times) const {
  const TimePoint now = clock_->now();
  Written written;
  if (stored) {
    written.revision = stored->revision + 1;
    written.created_at = stored->created_at;
    written.updated_at =
        std::min(kLatestTime, std::max(now, stored->updated_at.time() + std::chrono::microseconds(1)));
  } else {
    const auto micros = now.time_since_epoch().count();
    written.revision = std::max(micros > 0 ? static_cast<Revision>(micros) : 1, floor_.load() + 1);
    written.created_at = now;
    written.updated_at = now;
  }
  if (times == Times::preserve) {
    // A text that no time could be read from is another program's, and kept like one.
    if (!session.created_at.empty()) written.created_at = session.created_at;
    if (!session.updated_at.empty()) written.updated_at = session.updated_at;
  }
  return written;
}

void Stamper::retired(Revision revision) const noexcept {
  Revision floor = floor_.load();
  while (floor < revision && !floor_.compare_exchange_weak(floor, revision)) {
  }
}

Session stamped(Session session, const Written& written) {
  session.revision = written.revision;
  session.created_at = written.created_at;
  session.updated_at = written.updated_at;
  return session;
}

SessionPtr partial_view(SessionPtr session, const LoadOptions& options) {
  if (!options.last_messages() || *options.last_messages() >= session->messages.size()) return session;
  const std::size_t kept = static_cast<std::size_t>(*options.last_messages());
  const std::size_t omitted = session->messages.size() - kept;

  Session view;
  view.id = session->id;
  view.agent_id = session->agent_id;
  view.user_id = session->user_id;
  view.project_id = session->project_id;
  view.parent_id = session->parent_id;
  view.title = session->title;
  view.created_at = session->created_at;
  view.updated_at = session->updated_at;
  view.revision = session->revision;
  view.messages.assign(session->messages.end() - static_cast<std::ptrdiff_t>(kept), session->messages.end());
  view.trajectory = session->trajectory;
  view.metadata = session->metadata;
  view.extra = session->extra;
  view.completeness = Completeness::partial;
  view.omitted_messages = session->omitted_messages + omitted;
  view.stored_bytes = session->stored_bytes;
  return std::make_shared<const Session>(std::move(view));
}

}  // namespace sessile
