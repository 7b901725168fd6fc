#include "linearizability/model.hpp"

namespace sessile::linearizability {
namespace {

/// Settles the revision of a present state by what somebody saw. False: it cannot be that one.
bool observe(State& state, Revision seen) {
  if (!state.present) return false;
  if (state.revision_known) return state.revision == seen;
  if (seen < state.revision) return false;
  state.revision = seen;
  state.revision_known = true;
  return true;
}

bool meets(State& state, const Operation& operation) {
  switch (operation.expect) {
    case Expect::any:
      return true;
    case Expect::absent:
      return !state.present;
    case Expect::exactly:
      return observe(state, operation.expected);
  }
  return false;
}

bool is_refused(State& state, const Operation& operation) {
  if (operation.expect == Expect::any) return false;
  if (!operation.actual) return operation.expect == Expect::exactly && !state.present;
  if (!observe(state, *operation.actual)) return false;
  return operation.expect == Expect::absent || *operation.actual != operation.expected;
}

/// Moves to the next revision, which is the one that was returned where that is known.
bool advance(State& state, const Operation& operation) {
  const Revision least = state.revision + 1;
  const bool creates = !state.present;
  const bool exact = state.present && state.revision_known;
  state.present = true;
  if (operation.outcome == Outcome::ok) {
    if (exact ? operation.revision != least : operation.revision < least) return false;
    state.revision = operation.revision;
    state.revision_known = true;
  } else {
    state.revision = least;
    state.revision_known = exact;
  }
  if (creates) state.keys.clear();
  return true;
}

std::optional<State> apply_append(State state, const Operation& operation) {
  if (!state.present) return std::nullopt;
  const auto known = operation.key == 0 ? state.keys.end() : state.keys.find(operation.key);
  const bool replay = known != state.keys.end();
  if (operation.outcome == Outcome::ok && operation.replayed != replay) return std::nullopt;
  if (replay) {
    if (operation.outcome == Outcome::unknown) return state;
    if (known->second != 0 && known->second != operation.revision) return std::nullopt;
    known->second = operation.revision;
    return state;
  }
  if (!meets(state, operation) || !advance(state, operation)) return std::nullopt;
  state.content = after_append(std::move(state.content), operation.tag);
  if (operation.key != 0) state.keys[operation.key] = state.revision_known ? state.revision : 0;
  return state;
}

std::optional<State> apply_success(State state, const Operation& operation) {
  const bool unknown = operation.outcome == Outcome::unknown;
  switch (operation.kind) {
    case Kind::load:
      if (unknown) return state;
      if (!observe(state, operation.revision) || state.content != operation.content) return std::nullopt;
      return state;
    case Kind::save:
      if (!meets(state, operation) || !advance(state, operation)) return std::nullopt;
      state.content = after_save(operation.tag);
      return state;
    case Kind::update:
      if (!state.present || !meets(state, operation) || !advance(state, operation)) return std::nullopt;
      state.content = after_update(std::move(state.content), operation.tag);
      if (!unknown && state.content != operation.content) return std::nullopt;
      return state;
    case Kind::append:
      return apply_append(std::move(state), operation);
    case Kind::remove:
      if (!state.present || !meets(state, operation)) return std::nullopt;
      state.present = false;
      state.content = Content();
      state.keys.clear();
      return state;
  }
  return std::nullopt;
}

}  // namespace

std::string State::text() const {
  std::string text = present ? "revision " : "absent, revisions up to ";
  text += std::to_string(revision) + (revision_known ? " " : " or more ") + content.text();
  for (const auto& [key, at] : keys)
    text += " key " + std::to_string(key) + "@" + std::to_string(at);
  return text;
}

std::optional<State> apply(State state, const Operation& operation) {
  switch (operation.outcome) {
    case Outcome::nothing:
      return state;
    case Outcome::not_found:
      if (state.present || operation.kind == Kind::save) return std::nullopt;
      return state;
    case Outcome::conflict:
      // A remembered key is recognised before the revision is looked at.
      if (operation.key != 0 && state.keys.contains(operation.key)) return std::nullopt;
      if (!is_refused(state, operation)) return std::nullopt;
      return state;
    case Outcome::ok:
    case Outcome::unknown:
      return apply_success(std::move(state), operation);
  }
  return std::nullopt;
}

}  // namespace sessile::linearizability
