// SQLite as a program with sessions uses it: WAL, a busy timeout, prepared statements, a connection a thread,
// one row a session and one row an appended message.
#include "bench/engines/engine.hpp"
#include "storage/lock_watch.hpp"

#include <sessile/json.hpp>

#include <sqlite3.h>

#include <mutex>

namespace sessile::bench {

namespace {

constexpr int kBusyTimeoutMs = 5000;

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS sessions(id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, document TEXT NOT "
    "NULL);"
    "CREATE INDEX IF NOT EXISTS sessions_by_agent ON sessions(agent_id);"
    "CREATE TABLE IF NOT EXISTS messages(number INTEGER PRIMARY KEY, session_id TEXT NOT NULL, document TEXT "
    "NOT "
    "NULL);"
    "CREATE INDEX IF NOT EXISTS messages_by_session ON messages(session_id);";

class Connection {
 public:
  static Result<Connection> open(const std::string& path, Sync sync) {
    Connection connection;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (::sqlite3_open_v2(path.c_str(), &connection.handle_, flags, nullptr) != SQLITE_OK) {
      return connection.failure("sqlite3_open_v2");
    }
    ::sqlite3_busy_timeout(connection.handle_, kBusyTimeoutMs);
    if (auto done = connection.run("PRAGMA journal_mode=WAL"); !done) return done.error();
    if (auto done = connection.set_sync(sync); !done) return done.error();
    if (auto done = connection.run(kSchema); !done) return done.error();
    return connection;
  }

  Connection(Connection&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Connection& operator=(Connection&& other) noexcept { return std::swap(handle_, other.handle_), *this; }
  ~Connection() { ::sqlite3_close_v2(handle_); }

  sqlite3* get() const noexcept { return handle_; }

  Result<void> run(const char* sql) const {
    if (::sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure(sql);
    return success();
  }

  Result<void> set_sync(Sync sync) const {
    return run(sync == Sync::yes ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF");
  }

  Error failure(std::string_view what) const {
    const int code = ::sqlite3_extended_errcode(handle_) & 0xff;
    const Errc kind = code == SQLITE_BUSY || code == SQLITE_LOCKED ? Errc::locked : Errc::io;
    return Error(kind, what).with_outside_text(::sqlite3_errmsg(handle_));
  }

 private:
  Connection() {}
  sqlite3* handle_ = nullptr;
};

/// A prepared statement, reset after each use.
class Statement {
 public:
  Statement(const Connection& connection, const char* sql) : connection_(connection) {
    ::sqlite3_prepare_v3(connection.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle_, nullptr);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { ::sqlite3_finalize(handle_); }

  Statement& bind(int place, std::string_view text) {
    ::sqlite3_bind_text(handle_, place, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
  }

  /// Calls `row` for each row; it returns a Result<void>.
  template <class Row>
  Result<void> each(Row row) {
    for (;;) {
      const int code = ::sqlite3_step(handle_);
      if (code == SQLITE_DONE) break;
      if (code != SQLITE_ROW) {
        auto failed = connection_.failure("sqlite3_step");
        ::sqlite3_reset(handle_);
        return failed;
      }
      if (Result<void> done = row(*this); !done) {
        ::sqlite3_reset(handle_);
        return done;
      }
    }
    ::sqlite3_reset(handle_);
    return success();
  }
  Result<void> run() {
    return each([](Statement&) { return success(); });
  }

  std::string_view text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(::sqlite3_column_text(handle_, column));
    return std::string_view(bytes, static_cast<std::size_t>(::sqlite3_column_bytes(handle_, column)));
  }

 private:
  const Connection& connection_;
  sqlite3_stmt* handle_ = nullptr;
};

class SqliteClient final : public RivalClient {
 public:
  SqliteClient(Connection connection, Sync sync, std::mutex& one_writer)
      : connection_(std::move(connection)), sync_(sync), one_writer_(one_writer) {}

  Result<void> save(const Session& session, Sync sync) override {
    const std::string document = encode_session(session);
    return in_transaction(sync, [&]() -> Result<void> {
      upsert_.bind(1, session.id.str()).bind(2, session.agent_id.str()).bind(3, document);
      if (auto done = upsert_.run(); !done) return done;
      // What was appended is part of what is saved now.
      return forget_messages_.bind(1, session.id.str()).run();
    });
  }

  Result<void> append(const SessionId& id, const Message& message, Sync sync) override {
    const std::string document = encode_message(message);
    return in_transaction(sync, [&] { return insert_.bind(1, id.str()).bind(2, document).run(); });
  }

  Result<SessionPtr> load(const SessionId& id) override {
    SessionPtr session;
    auto done = select_.bind(1, id.str()).each([&](Statement& row) -> Result<void> {
      auto parsed = with_messages(id.str(), row.text(0));
      if (!parsed) return parsed.error();
      session = std::move(*parsed);
      return success();
    });
    if (!done) return done.error();
    if (!session) return Error(Errc::not_found);
    return session;
  }

  Result<std::vector<SessionPtr>> list_for_agent(const AgentId& agent) override {
    std::vector<SessionPtr> sessions;
    auto done = select_agent_.bind(1, agent.str()).each([&](Statement& row) -> Result<void> {
      auto parsed = with_messages(row.text(0), row.text(1));
      if (!parsed) return parsed.error();
      sessions.push_back(std::move(*parsed));
      return success();
    });
    if (!done) return done.error();
    return sessions;
  }

  Result<void> hold(const SessionId&, const std::function<void()>& work) override {
    return in_transaction(sync_, [&] { return work(), success(); });
  }

  void observe_locks(LockObserver observer) override {
    observer_ = std::make_shared<const LockObserver>(std::move(observer));
  }

 private:
  template <class Work>
  Result<void> in_transaction(Sync sync, Work work) {
    // Threads of one process queue here: cheaper and fairer than the busy timeout, which is for other
    // processes.
    storage::LockWatch watch(observer_, "database");
    const std::lock_guard lock(one_writer_);
    if (sync != sync_) {
      if (auto done = connection_.set_sync(sync); !done) return done;
      sync_ = sync;
    }
    if (auto done = begin_.run(); !done) return done;
    watch.acquired();
    if (auto done = work(); !done) {
      rollback_.run().ignore();
      return done;
    }
    auto done = commit_.run();
    if (!done) rollback_.run().ignore();
    watch.freed();
    return done;
  }

  Result<SessionPtr> with_messages(std::string_view id, std::string_view document) {
    auto session = decode_session(document, Origin::stored);
    if (!session) return session.error();
    auto done = select_messages_.bind(1, id).each([&](Statement& row) -> Result<void> {
      auto message = decode_message(row.text(0), Origin::stored);
      if (!message) return message.error();
      session->add_message(std::move(*message));
      return success();
    });
    if (!done) return done.error();
    return SessionPtr(std::make_shared<const Session>(std::move(*session)));
  }

  Connection connection_;
  Sync sync_;
  std::mutex& one_writer_;
  std::shared_ptr<const LockObserver> observer_;
  Statement begin_{connection_, "BEGIN IMMEDIATE"};
  Statement commit_{connection_, "COMMIT"};
  Statement rollback_{connection_, "ROLLBACK"};
  Statement upsert_{
      connection_,
      "INSERT INTO sessions(id, agent_id, document) VALUES(?1, ?2, ?3) ON CONFLICT(id) DO UPDATE SET "
      "agent_id = excluded.agent_id, document = excluded.document"};
  Statement forget_messages_{connection_, "DELETE FROM messages WHERE session_id = ?1"};
  Statement insert_{connection_, "INSERT INTO messages(session_id, document) VALUES(?1, ?2)"};
  Statement select_{connection_, "SELECT document FROM sessions WHERE id = ?1"};
  Statement select_agent_{connection_, "SELECT id, document FROM sessions WHERE agent_id = ?1"};
  Statement select_messages_{connection_,
                             "SELECT document FROM messages WHERE session_id = ?1 ORDER BY number"};
};

class Sqlite final : public Rival {
 public:
  Sqlite(std::string path, Sync sync) : path_(std::move(path)), sync_(sync) {}
  Result<std::unique_ptr<RivalClient>> connect() override {
    auto connection = Connection::open(path_, sync_);
    if (!connection) return connection.error();
    return std::unique_ptr<RivalClient>(
        std::make_unique<SqliteClient>(std::move(*connection), sync_, one_writer_));
  }

 private:
  std::string path_;
  Sync sync_;
  std::mutex one_writer_;
};

}  // namespace

RivalKind sqlite_kind() {
  RivalKind kind;
  kind.name = "sqlite";
  kind.version = ::sqlite3_libversion();
  kind.open = [](const std::filesystem::path& directory, Sync sync) -> Result<std::unique_ptr<Rival>> {
    return std::unique_ptr<Rival>(std::make_unique<Sqlite>((directory / "sessions.sqlite").string(), sync));
  };
  return kind;
}

}  // namespace sessile::bench
