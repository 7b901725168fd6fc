#include <sessile/async.hpp>
#include <sessile/backend.hpp>

namespace sessile {

namespace {

Result<void> run_user_code(const Mutation& mutation, Session& session) {
  try {
    return mutation(session);
  } catch (const SystemError& thrown) {
    return thrown.error();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& thrown) {
    return Error(Errc::invalid_argument, "the mutation threw an exception; nothing was written")
        .with_outside_text(thrown.what());
  } catch (...) {
    return Error(Errc::invalid_argument,
                 "the mutation threw something that is no exception; nothing was written");
  }
}

}  // namespace

Result<std::shared_ptr<Session>> apply_mutation(const Session& current, const Mutation& mutation,
                                                const Limits& limits) {
  auto changed = std::make_shared<Session>(current);
  if (auto outcome = run_user_code(mutation, *changed); !outcome) return outcome.error();
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
