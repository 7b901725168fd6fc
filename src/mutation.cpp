#include "json/same_text.hpp"
#include "user_code.hpp"

#include <sessile/async.hpp>
#include <sessile/backend.hpp>

namespace sessile {

namespace {

/// Only what changed: a document of another program may have names that we would not take.
Result<void> check_changed_names(const Session& changed, const Session& current) {
  if (changed.agent_id != current.agent_id) {
    if (auto agent = check(changed.agent_id); !agent) return agent;
  }
  if (changed.parent_id != current.parent_id && !changed.parent_id.empty()) return check(changed.parent_id);
  return success();
}

}  // namespace

Result<std::shared_ptr<Session>> apply_mutation(const Session& current, const Mutation& mutation,
                                                const Limits& limits) {
  auto changed = std::make_shared<Session>(current);
  const auto outcome = detail::run_user_code("the mutation", [&] { return mutation(*changed); });
  if (!outcome) return outcome.error();
  if (changed->id != current.id) {
    return Error(Errc::invalid_argument, "the mutation changed the session's id; fork the session instead");
  }
  if (changed->completeness != current.completeness) {
    return Error(Errc::invalid_argument,
                 "the mutation put a session in its place that was loaded in part, which would drop what was "
                 "left out");
  }
  if (auto names = check_changed_names(*changed, current); !names) return names.error();
  // The store's own fields are not the mutation's to change.
  changed->revision = current.revision;
  changed->created_at = current.created_at;
  changed->updated_at = current.updated_at;
  changed->omitted_messages = current.omitted_messages;
  if (detail::same_text(*changed, current)) return std::shared_ptr<Session>();
  auto measured = measure(*changed, limits);
  if (!measured) return measured.error();
  changed->stored_bytes = *measured;
  return changed;
}

}  // namespace sessile
