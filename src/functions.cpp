#include <sessile/backend.hpp>
#include <sessile/functions.hpp>

#include <algorithm>
#include <iterator>

namespace sessile {

Async<Written> create(StorePtr store, Session session, SaveOptions options) {
  return store->save(std::move(session), options.if_absent());
}

Async<SessionPtr> get_or_create(StorePtr store, std::string user, SessionId id) {
  if (id.empty()) id = SessionId::random();
  // Whoever loses the race to create finds the session; one who removes it in between starts the round again.
  for (;;) {
    auto found = co_await store->load(id);
    if (found || found.error().code() != Errc::not_found) co_return found;
    Session fresh(id);
    fresh.set_user(user);
    auto created = co_await store->save(fresh, SaveOptions().if_absent());
    if (created) co_return std::make_shared<const Session>(stamped(std::move(fresh), *created));
    if (created.error().code() != Errc::conflict) co_return created.error();
  }
}

Async<bool> exists(StorePtr store, SessionId id) {
  auto found = co_await store->load(std::move(id), LoadOptions().without_messages());
  if (found) co_return true;
  if (found.error().code() == Errc::not_found) co_return false;
  co_return found.error();
}

Async<SessionPtr> fork(StorePtr store, SessionId from, SessionId to) {
  if (to.empty()) to = SessionId::random();
  auto original = co_await store->load(from);
  if (!original) co_return original.error();
  Session copy = **original;
  copy.id = std::move(to);
  copy.parent_id = std::move(from);
  auto written = co_await store->save(copy, SaveOptions().if_absent());
  if (!written) co_return written.error();
  co_return std::make_shared<const Session>(stamped(std::move(copy), *written));
}

Async<SessionPtr> move_to_project(StorePtr store, SessionId id, std::string project) {
  auto move = [project = std::move(project)](Session& session) { session.project_id = project; };
  return store->update(std::move(id), Mutation(std::move(move)));
}

Async<Written> add_message(StorePtr store, SessionId id, Message message, AppendOptions options) {
  // A replay is recognised by its content, so a repeated call must not differ by its time.
  const bool may_be_replayed = !options.idempotency_key().empty();
  if (message.timestamp.empty() && !may_be_replayed) {
    message.timestamp = store->options().clock()->now();
  }
  return store->append(std::move(id), std::move(message), std::move(options));
}

Async<Written> add_message(StorePtr store, SessionId id, std::string role, json::value content,
                           AppendOptions options) {
  Message message(std::move(role), std::move(content));
  return add_message(std::move(store), std::move(id), std::move(message), std::move(options));
}

Async<Written> add_response(StorePtr store, SessionId id, json::value content,
                            std::optional<TrajectoryRange> steps, AppendOptions options) {
  Message message("assistant", std::move(content));
  message.trajectory = steps;
  return add_message(std::move(store), std::move(id), std::move(message), std::move(options));
}

Async<SessionPtr> extend_trajectory(StorePtr store, SessionId id, std::vector<TrajectoryStep> steps,
                                    UpdateOptions options) {
  for (TrajectoryStep& step : steps) {
    if (step.timestamp.empty()) {
      step.timestamp = store->options().clock()->now();
    }
  }
  auto extend = [steps = std::move(steps)](Session& session) {
    session.trajectory.insert(session.trajectory.end(), steps.begin(), steps.end());
  };
  return store->update(std::move(id), Mutation(std::move(extend)), std::move(options));
}

Async<SessionPtr> set_metadata(StorePtr store, SessionId id, std::string key, json::value value,
                               UpdateOptions options) {
  auto set = [key = std::move(key), value = std::move(value)](Session& session) {
    session.metadata.insert_or_assign(key, value);
  };
  return store->update(std::move(id), Mutation(std::move(set)), std::move(options));
}

namespace {
constexpr std::string_view kActivePersona = "active_persona_id";
}

Async<SessionPtr> set_active_persona(StorePtr store, SessionId id, std::string persona,
                                     UpdateOptions options) {
  auto set = [persona = std::move(persona)](Session& session) {
    if (persona.empty()) {
      session.extra.erase(kActivePersona);
    } else {
      session.extra.insert_or_assign(kActivePersona, persona);
    }
  };
  return store->update(std::move(id), Mutation(std::move(set)), std::move(options));
}

std::string active_persona(const Session& session) {
  const json::value* persona = session.extra.if_contains(kActivePersona);
  return persona != nullptr && persona->is_string() ? std::string(persona->get_string()) : std::string();
}

std::uint64_t exchange_count(const Session& session) noexcept {
  const auto by = [&session](std::string_view role) {
    return std::count_if(session.messages.begin(), session.messages.end(),
                         [role](const Message& message) { return message.role == role; });
  };
  return static_cast<std::uint64_t>(std::min(by("user"), by("assistant")));
}

Async<Page<SessionSummary>> since(StorePtr store, TimePoint cutoff) {
  ListQuery query;
  query.updated_since(cutoff).limit(kMaxPageSize);
  Page<SessionSummary> all;
  for (;;) {
    auto page = co_await store->list(query);
    if (!page) co_return page.error();
    std::move(page->items.begin(), page->items.end(), std::back_inserter(all.items));
    std::move(page->unreadable.begin(), page->unreadable.end(), std::back_inserter(all.unreadable));
    if (page->next.empty()) co_return all;
    query.cursor(std::move(page->next));
  }
}

Async<std::vector<Error>> for_each(StorePtr store, ListQuery query,
                                   std::function<Result<void>(const SessionSummary&)> visit) {
  std::vector<Error> unreadable;
  for (;;) {
    auto page = co_await store->list(query);
    if (!page) co_return page.error();
    std::move(page->unreadable.begin(), page->unreadable.end(), std::back_inserter(unreadable));
    for (const SessionSummary& summary : page->items) {
      if (auto visited = visit(summary); !visited) co_return visited.error();
    }
    if (page->next.empty()) co_return unreadable;
    query.cursor(std::move(page->next));
  }
}

}  // namespace sessile
