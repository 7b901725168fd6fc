#include "json/measure.hpp"
#include "operation.hpp"

#include <sessile/backend.hpp>

#include <algorithm>

namespace sessile {

namespace {

/// Above this a session's check is work for the pool, not for the caller's executor.
constexpr std::size_t kInlineBytes = 64 * 1024;
constexpr std::size_t kInlineMessages = 64;

/// A cheap guess that is never far below the size of a session whose messages are plain text.
bool is_large(const std::vector<Message>& messages) {
  if (messages.size() > kInlineMessages) return true;
  std::size_t bytes = 0;
  for (const Message& message : messages) {
    if (const json::string* text = message.content.if_string()) bytes += text->size();
    if (message.content.is_structured()) bytes += kInlineBytes / kInlineMessages;
  }
  return bytes > kInlineBytes;
}

Result<void> check_text(std::string_view text, std::string_view what) {
  if (text.size() > 1024)
    return Error(Errc::invalid_argument, std::string(what) + " is longer than 1,024 bytes");
  if (!is_utf8(text)) return Error(Errc::invalid_argument, std::string(what) + " is not UTF-8");
  return success();
}

Result<void> check_names(const Session& session) {
  if (session.completeness == Completeness::partial) {
    return Error(Errc::invalid_argument,
                 "the session was loaded in part; saving it would drop what was left out");
  }
  if (session.omitted_messages != 0) {
    return Error(Errc::invalid_argument,
                 "the session says that it is whole, and that messages were left out of it");
  }
  if (auto id = check(session.id); !id) return id;
  if (auto agent = check(session.agent_id); !agent) return agent;
  if (!session.parent_id.empty()) {
    if (auto parent = check(session.parent_id); !parent) return parent;
  }
  if (auto user = check_text(session.user_id, "user_id"); !user) return user;
  return check_text(session.project_id, "project_id");
}

Result<void> check_query(const ListQuery& query) {
  if (query.limit() < 1 || query.limit() > kMaxPageSize) {
    return Error(Errc::invalid_argument, "a page holds 1 to " + std::to_string(kMaxPageSize) + " sessions");
  }
  if (query.agent()) {
    if (auto agent = check(*query.agent()); !agent) return agent;
  }
  for (const auto& filter : {query.user(), query.project()}) {
    if (filter && !is_utf8(*filter))
      return Error(Errc::invalid_argument, "a filter of the listing is not UTF-8");
  }
  auto cursor = decode_cursor(query);
  if (!cursor) return cursor.error();
  return success();
}

/// Sets the durability a write gets, and refuses one the backend cannot give.
template <class Options>
Result<void> settle_durability(Options& options, const Capabilities& capabilities) {
  const Durability asked = options.durability().value_or(capabilities.default_durability);
  if (asked > capabilities.max_durability) {
    return Error(Errc::unsupported, "the durability asked for is more than this backend can promise");
  }
  options.durability(asked);
  return success();
}

/// Runs `check`, on the pool when it is long work and the store has one.
template <class Check>
Async<void> check_somewhere(const detail::StoreCore& core, bool large, Check check) {
  if (!large || core.capabilities.never_suspends) co_return check();
  co_return co_await storage::run_on(core.executor, [&check](storage::CommitGate&) { return check(); });
}

}  // namespace

SessionStore::SessionStore(OpenOptions options, Capabilities capabilities)
    : core_(std::make_shared<detail::StoreCore>(std::move(options), std::move(capabilities))) {}

SessionStore::~SessionStore() = default;

const Capabilities& SessionStore::capabilities() const noexcept {
  return core_->capabilities;
}
const OpenOptions& SessionStore::options() const noexcept {
  return core_->options;
}
asio::any_io_executor SessionStore::get_executor() const noexcept {
  return core_->executor;
}

namespace detail {

/// The bodies of the operations: what is checked, then what the implementation does.
class Operations {
 public:
  static Async<Written> save(SessionStore* store, Call* call, SessionPtr session, SaveOptions options) {
    const StoreCore& core = *store->core_;
    auto checked = co_await check_somewhere(core, is_large(session->messages), [&]() -> Result<void> {
      auto bytes = measure(*session, core.capabilities.limits);
      if (!bytes) return bytes.error();
      options.measured_bytes(call->bytes = *bytes);
      return success();
    });
    if (!checked) co_return checked.error();
    co_return co_await store->do_save(std::move(session), std::move(options));
  }

  static Async<Written> append(SessionStore* store, Call* call, SessionId id, std::vector<Message> messages,
                               AppendOptions options) {
    const StoreCore& core = *store->core_;
    auto checked = co_await check_somewhere(core, is_large(messages), [&]() -> Result<void> {
      auto bytes = measure_all(messages, core.capabilities.limits);
      if (!bytes) return bytes.error();
      options.measured_bytes(call->bytes = *bytes);
      return success();
    });
    if (!checked) co_return checked.error();
    co_return co_await store->do_append(std::move(id), std::move(messages), std::move(options));
  }

  static Async<SessionPtr> load(SessionStore* s, SessionId id, LoadOptions o) {
    return s->do_load(std::move(id), o);
  }
  static Async<Page<SessionSummary>> list(SessionStore* s, ListQuery q) { return s->do_list(std::move(q)); }
  static Async<void> remove(SessionStore* s, SessionId id, RemoveOptions o) {
    return s->do_remove(std::move(id), o);
  }
  static Async<AgentSessions> list_for_agent(SessionStore* s, AgentId agent, ListQuery q) {
    return s->do_list_for_agent(std::move(agent), std::move(q));
  }
  static Async<SessionPtr> update(SessionStore* s, SessionId id, Mutation m, UpdateOptions o) {
    return s->do_update(std::move(id), std::move(m), o);
  }
  static Async<void> flush(SessionStore* s) { return s->do_flush(); }
  static Async<VerifyReport> verify(SessionStore* s, VerifyOptions o) { return s->do_verify(std::move(o)); }

  /// Not cancellable: a store that is half closed serves nobody.
  static Async<void> close(std::shared_ptr<StoreCore> core, std::shared_ptr<SessionStore> keep,
                           SessionStore* store) {
    const asio::any_io_executor home = co_await asio::this_coro::executor;
    auto token = asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable);
    auto body = close_body(std::move(core), std::move(keep), store);
    Result<void> result = co_await asio::co_spawn(home, std::move(body), token);
    co_return result;
  }

 private:
  static Async<void> close_body(std::shared_ptr<StoreCore> core,
                                [[maybe_unused]] std::shared_ptr<SessionStore> keep, SessionStore* store) {
    if (!core->begin_close()) {
      co_await core->closed();
      co_return success();
    }
    const auto started = std::chrono::steady_clock::now();
    co_await core->drained();
    Result<void> result;
    try {
      result = co_await store->do_close();
    } catch (...) {
      result = error_from(std::current_exception());
    }
    core->finish_close();
    const Call call("close");
    if (!result) result = annotated(result.error(), call, *core);
    if (core->options.observer()) tell_observer(*core, call, started, result);
    co_return result;
  }
};

}  // namespace detail

Async<Written> SessionStore::save(SessionPtr session, SaveOptions options) {
  detail::Call call("save");
  call.timeout = options.timeout();
  call.writes = true;
  if (session != nullptr) call.key = session->id.str();
  Result<void> checked = session != nullptr
                             ? check_names(*session)
                             : Result<void>(Error(Errc::invalid_argument, "there is no session to save"));
  if (checked) checked = settle_durability(options, core_->capabilities);
  if (!checked) call.refusal = checked.error();
  auto start = [this, session = std::move(session), options](detail::Call& c) mutable {
    return detail::Operations::save(this, &c, std::move(session), options);
  };
  return detail::run_operation<Written>(core_, weak_from_this().lock(), std::move(call), std::move(start));
}

Async<Written> SessionStore::save(Session session, SaveOptions options) {
  return save(std::make_shared<const Session>(std::move(session)), std::move(options));
}

Async<Written> SessionStore::save(std::shared_ptr<Session> session, SaveOptions options) {
  return save(session ? std::make_shared<const Session>(*session) : SessionPtr(), std::move(options));
}

Async<SessionPtr> SessionStore::load(SessionId id, LoadOptions options) {
  detail::Call call("load");
  call.key = id.str();
  call.timeout = options.timeout();
  if (auto checked = check(id); !checked) call.refusal = checked.error();
  auto start = [this, id = std::move(id), options](detail::Call&) mutable {
    return detail::Operations::load(this, std::move(id), options);
  };
  return detail::run_operation<SessionPtr>(core_, weak_from_this().lock(), std::move(call), std::move(start));
}

Async<Page<SessionSummary>> SessionStore::list(ListQuery query) {
  detail::Call call("list");
  call.timeout = query.timeout();
  if (auto checked = check_query(query); !checked) call.refusal = checked.error();
  auto start = [this, query = std::move(query)](detail::Call&) mutable {
    return detail::Operations::list(this, std::move(query));
  };
  return detail::run_operation<Page<SessionSummary>>(core_, weak_from_this().lock(), std::move(call),
                                                     std::move(start));
}

Async<void> SessionStore::remove(SessionId id, RemoveOptions options) {
  detail::Call call("remove");
  call.key = id.str();
  call.timeout = options.timeout();
  call.writes = true;
  Result<void> checked = check(id);
  if (checked) checked = settle_durability(options, core_->capabilities);
  if (!checked) call.refusal = checked.error();
  auto start = [this, id = std::move(id), options](detail::Call&) mutable {
    return detail::Operations::remove(this, std::move(id), options);
  };
  return detail::run_operation<void>(core_, weak_from_this().lock(), std::move(call), std::move(start));
}

Async<AgentSessions> SessionStore::list_for_agent(AgentId agent, ListQuery query) {
  detail::Call call("list_for_agent");
  call.key = agent.str();
  call.timeout = query.timeout();
  query.agent(agent);
  if (auto checked = check_query(query); !checked) call.refusal = checked.error();
  auto start = [this, agent = std::move(agent), query = std::move(query)](detail::Call&) mutable {
    return detail::Operations::list_for_agent(this, std::move(agent), std::move(query));
  };
  return detail::run_operation<AgentSessions>(core_, weak_from_this().lock(), std::move(call),
                                              std::move(start));
}

Async<SessionPtr> SessionStore::update(SessionId id, Mutation mutation, UpdateOptions options) {
  detail::Call call("update");
  call.key = id.str();
  call.timeout = options.timeout();
  call.writes = true;
  Result<void> checked = check(id);
  if (checked) checked = settle_durability(options, core_->capabilities);
  if (!checked) call.refusal = checked.error();
  auto start = [this, id = std::move(id), mutation = std::move(mutation), options](detail::Call&) mutable {
    return detail::Operations::update(this, std::move(id), std::move(mutation), options);
  };
  return detail::run_operation<SessionPtr>(core_, weak_from_this().lock(), std::move(call), std::move(start));
}

Async<Written> SessionStore::append(SessionId id, std::vector<Message> messages, AppendOptions options) {
  detail::Call call("append");
  call.key = id.str();
  call.timeout = options.timeout();
  call.writes = true;
  Result<void> checked = check(id);
  if (checked && options.idempotency_key().size() > kMaxIdBytes) {
    checked = Error(Errc::invalid_argument, "an idempotency key has 1 to 200 bytes");
  }
  if (checked && !is_utf8(options.idempotency_key())) {
    checked = Error(Errc::invalid_argument, "the idempotency key is not UTF-8");
  }
  if (checked && !options.idempotency_key().empty() && !core_->capabilities.idempotent_append) {
    checked = Error(Errc::unsupported, "this backend does not remember idempotency keys");
  }
  if (checked) checked = settle_durability(options, core_->capabilities);
  if (!checked) call.refusal = checked.error();
  auto start = [this, id = std::move(id), messages = std::move(messages), options](detail::Call& c) mutable {
    return detail::Operations::append(this, &c, std::move(id), std::move(messages), std::move(options));
  };
  return detail::run_operation<Written>(core_, weak_from_this().lock(), std::move(call), std::move(start));
}

Async<Written> SessionStore::append(SessionId id, Message message, AppendOptions options) {
  std::vector<Message> messages;
  messages.push_back(std::move(message));
  return append(std::move(id), std::move(messages), std::move(options));
}

Async<void> SessionStore::flush() {
  auto start = [this](detail::Call&) { return detail::Operations::flush(this); };
  return detail::run_operation<void>(core_, weak_from_this().lock(), detail::Call("flush"), std::move(start));
}

Async<VerifyReport> SessionStore::verify(VerifyOptions options) {
  detail::Call call("verify");
  call.timeout = options.timeout();
  call.writes = options.repairs();
  auto start = [this, options = std::move(options)](detail::Call&) mutable {
    return detail::Operations::verify(this, std::move(options));
  };
  return detail::run_operation<VerifyReport>(core_, weak_from_this().lock(), std::move(call),
                                             std::move(start));
}

Async<void> SessionStore::close() {
  return detail::Operations::close(core_, weak_from_this().lock(), this);
}

}  // namespace sessile
