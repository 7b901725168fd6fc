#include "user_code.hpp"

#include <sessile/async.hpp>
#include <sessile/backend.hpp>

namespace sessile {

Result<std::shared_ptr<Session>> apply_mutation(const Session& current, const Mutation& mutation,
                                                const Limits& limits) {
  auto changed = std::make_shared<Session>(current);
  const auto outcome = detail::run_user_code("the mutation", [&] { return mutation(*changed); });
  if (!outcome) return outcome.error();
  if (changed->id != current.id) {
    return Error(Errc::invalid_argument, "the mutation changed the session's id; fork the session instead");
  }
  // The store's own fields are not the mutation's to change.
  changed->revision = current.revision;
  changed->created_at = current.created_at;
  changed->updated_at = current.updated_at;
  changed->completeness = current.completeness;
  if (changed->same_content(current)) return std::shared_ptr<Session>();
  auto measured = measure(*changed, limits);
  if (!measured) return measured.error();
  changed->stored_bytes = *measured;
  return changed;
}

}  // namespace sessile
