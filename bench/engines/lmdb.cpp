// LMDB as its documentation has it: one environment a process, a map large enough for all, synced commits.
#include "bench/engines/engine.hpp"
#include "bench/engines/key_layout.hpp"

#include <sessile/json.hpp>

#include <lmdb.h>

#include <mutex>

namespace sessile::bench {

namespace {

constexpr std::size_t kMapBytes = std::size_t{16} << 30;  // address space, not memory
constexpr unsigned kMaxReaders = 4096;

Error failure(std::string_view what, int code) {
  return rival_error(what, ::mdb_strerror(code));
}

MDB_val value_of(std::string_view text) {
  return MDB_val{text.size(), const_cast<char*>(text.data())};
}

std::string_view text_of(const MDB_val& value) {
  return std::string_view(static_cast<const char*>(value.mv_data), value.mv_size);
}

/// A transaction, aborted unless it was committed.
class Transaction {
 public:
  Transaction(MDB_env* environment, unsigned flags)
      : code_(::mdb_txn_begin(environment, nullptr, flags, &handle_)) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (handle_ != nullptr) ::mdb_txn_abort(handle_);
  }
  int code() const noexcept { return code_; }
  MDB_txn* get() const noexcept { return handle_; }
  int commit() noexcept { return ::mdb_txn_commit(std::exchange(handle_, nullptr)); }

 private:
  MDB_txn* handle_ = nullptr;
  int code_;
};

class Lmdb final : public Rival {
 public:
  ~Lmdb() override {
    if (environment_ != nullptr) ::mdb_env_close(environment_);
  }
  Lmdb() {}
  Lmdb(const Lmdb&) = delete;
  Lmdb& operator=(const Lmdb&) = delete;

  Result<void> open(const std::string& path) {
    if (int code = ::mdb_env_create(&environment_); code != 0) return failure("mdb_env_create", code);
    ::mdb_env_set_mapsize(environment_, kMapBytes);
    ::mdb_env_set_maxreaders(environment_, kMaxReaders);
    if (int code = ::mdb_env_open(environment_, path.c_str(), MDB_NOTLS, 0600); code != 0) {
      return failure("mdb_env_open", code);
    }
    Transaction transaction(environment_, 0);
    if (transaction.code() != 0) return failure("mdb_txn_begin", transaction.code());
    if (int code = ::mdb_dbi_open(transaction.get(), nullptr, 0, &table_); code != 0) {
      return failure("mdb_dbi_open", code);
    }
    if (int code = transaction.commit(); code != 0) return failure("mdb_txn_commit", code);
    return success();
  }

  /// Syncing is the environment's: changed only while the benchmark prepares, when nobody else writes.
  void set_sync(Sync sync) {
    const std::lock_guard lock(sync_mutex_);
    if (sync == sync_) return;
    ::mdb_env_set_flags(environment_, MDB_NOSYNC, sync == Sync::no ? 1 : 0);
    sync_ = sync;
  }

  MDB_env* environment() const noexcept { return environment_; }
  MDB_dbi table() const noexcept { return table_; }
  Result<std::unique_ptr<RivalClient>> connect() override;

 private:
  MDB_env* environment_ = nullptr;
  MDB_dbi table_ = 0;
  std::mutex sync_mutex_;
  Sync sync_ = Sync::yes;  // protected by sync_mutex_
};

class LmdbClient final : public RivalClient {
 public:
  explicit LmdbClient(Lmdb& lmdb) : lmdb_(lmdb) {}

  Result<void> save(const Session& session, Sync sync) override {
    const std::string document = encode_session(session);
    return write(sync, [&](MDB_txn* transaction) -> Result<void> {
      if (auto done = put(transaction, session_key(session.id.str()), document); !done) return done;
      auto done = put(transaction, agent_prefix(session.agent_id) + session.id.str(), "");
      if (!done) return done;
      return forget_messages(transaction, session.id);
    });
  }

  Result<void> append(const SessionId& id, const Message& message, Sync sync) override {
    const std::string document = encode_message(message);
    return write(
        sync, [&](MDB_txn* transaction) { return put(transaction, next_message_key(id.str()), document); });
  }

  Result<SessionPtr> load(const SessionId& id) override {
    const Transaction transaction(lmdb_.environment(), MDB_RDONLY);
    if (transaction.code() != 0) return failure("mdb_txn_begin", transaction.code());
    return read(transaction.get(), id);
  }

  Result<std::vector<SessionPtr>> list_for_agent(const AgentId& agent) override {
    const Transaction transaction(lmdb_.environment(), MDB_RDONLY);
    if (transaction.code() != 0) return failure("mdb_txn_begin", transaction.code());
    std::vector<SessionPtr> sessions;
    const std::string prefix = agent_prefix(agent);
    auto done = each(transaction.get(), prefix, [&](std::string_view key, MDB_val&) -> Result<void> {
      auto session = read(transaction.get(), SessionId(key.substr(prefix.size())));
      if (!session) return session.error();
      sessions.push_back(std::move(*session));
      return success();
    });
    if (!done) return done.error();
    return sessions;
  }

 private:
  template <class Work>
  Result<void> write(Sync sync, Work work) {
    lmdb_.set_sync(sync);
    Transaction transaction(lmdb_.environment(), 0);
    if (transaction.code() != 0) return failure("mdb_txn_begin", transaction.code());
    if (Result<void> done = work(transaction.get()); !done) return done;
    const int code = transaction.commit();
    return code == 0 ? success() : Result<void>(failure("mdb_txn_commit", code));
  }

  Result<void> put(MDB_txn* transaction, const std::string& key, std::string_view text) {
    MDB_val name = value_of(key);
    MDB_val value = value_of(text);
    const int code = ::mdb_put(transaction, lmdb_.table(), &name, &value, 0);
    return code == 0 ? success() : Result<void>(failure("mdb_put", code));
  }

  /// What was appended is part of what is saved now.
  Result<void> forget_messages(MDB_txn* transaction, const SessionId& id) {
    std::vector<std::string> keys;
    auto done = each(transaction, messages_prefix(id.str()), [&](std::string_view key, MDB_val&) {
      keys.emplace_back(key);
      return success();
    });
    for (const auto& key : keys) {
      MDB_val name = value_of(key);
      const int code = ::mdb_del(transaction, lmdb_.table(), &name, nullptr);
      if (code != 0) return failure("mdb_del", code);
    }
    return done;
  }

  Result<SessionPtr> read(MDB_txn* transaction, const SessionId& id) {
    const std::string key = session_key(id.str());
    MDB_val name = value_of(key);
    MDB_val value{};
    const int code = ::mdb_get(transaction, lmdb_.table(), &name, &value);
    if (code == MDB_NOTFOUND) return Error(Errc::not_found);
    if (code != 0) return failure("mdb_get", code);
    auto session = decode_session(text_of(value), Origin::stored);
    if (!session) return session.error();
    auto done =
        each(transaction, messages_prefix(id.str()), [&](std::string_view, MDB_val& text) -> Result<void> {
          auto message = decode_message(text_of(text), Origin::stored);
          if (!message) return message.error();
          session->add_message(std::move(*message));
          return success();
        });
    if (!done) return done.error();
    return SessionPtr(std::make_shared<const Session>(std::move(*session)));
  }

  template <class Visit>
  Result<void> each(MDB_txn* transaction, const std::string& prefix, Visit visit) {
    MDB_cursor* opened = nullptr;
    if (int code = ::mdb_cursor_open(transaction, lmdb_.table(), &opened); code != 0) {
      return failure("mdb_cursor_open", code);
    }
    const std::unique_ptr<MDB_cursor, void (*)(MDB_cursor*)> cursor(opened, &::mdb_cursor_close);
    MDB_val key = value_of(prefix);
    MDB_val value{};
    int code = ::mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_RANGE);
    for (; code == 0 && text_of(key).starts_with(prefix);
         code = ::mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
      if (Result<void> done = visit(text_of(key), value); !done) return done;
    }
    return code == 0 || code == MDB_NOTFOUND ? success() : Result<void>(failure("mdb_cursor_get", code));
  }

  Lmdb& lmdb_;
};

Result<std::unique_ptr<RivalClient>> Lmdb::connect() {
  return std::unique_ptr<RivalClient>(std::make_unique<LmdbClient>(*this));
}

}  // namespace

RivalKind lmdb_kind() {
  RivalKind kind;
  kind.name = "lmdb";
  kind.version = std::to_string(MDB_VERSION_MAJOR) + '.' + std::to_string(MDB_VERSION_MINOR) + '.' +
                 std::to_string(MDB_VERSION_PATCH);
  kind.open = [](const std::filesystem::path& directory, Sync) -> Result<std::unique_ptr<Rival>> {
    auto lmdb = std::make_unique<Lmdb>();
    if (auto done = lmdb->open(directory.string()); !done) return done.error();
    return std::unique_ptr<Rival>(std::move(lmdb));
  };
  return kind;
}

}  // namespace sessile::bench
