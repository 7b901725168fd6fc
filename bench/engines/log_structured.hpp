// What LevelDB and RocksDB have in common, which is nearly all: RocksDB began as a copy of the other.
#pragma once

#include "bench/engines/engine.hpp"
#include "bench/engines/key_layout.hpp"

#include <sessile/json.hpp>

#include <memory>

namespace sessile::bench {

/// A client of such a database. `Library` names its types: Db, Slice, Status, Iterator, WriteBatch,
/// WriteOptions, ReadOptions.
template <class Library>
class LogStructuredClient final : public RivalClient {
 public:
  explicit LogStructuredClient(typename Library::Db& db) : db_(db) {}

  Result<void> save(const Session& session, Sync sync) override {
    typename Library::WriteBatch batch;
    batch.Put(session_key(session.id.str()), encode_session(session));
    batch.Put(agent_prefix(session.agent_id) + session.id.str(), "");
    // What was appended is part of what is saved now.
    auto done = each(messages_prefix(session.id.str()), [&](std::string_view key, std::string_view) {
      batch.Delete(slice(key));
      return success();
    });
    return done ? write(batch, sync) : done;
  }

  Result<void> append(const SessionId& id, const Message& message, Sync sync) override {
    typename Library::WriteBatch batch;
    batch.Put(next_message_key(id.str()), encode_message(message));
    return write(batch, sync);
  }

  Result<SessionPtr> load(const SessionId& id) override {
    std::string document;
    const auto status = db_.Get(typename Library::ReadOptions(), session_key(id.str()), &document);
    if (status.IsNotFound()) return Error(Errc::not_found);
    if (!status.ok()) return rival_error("Get", status.ToString());
    auto session = decode_session(document, Origin::stored);
    if (!session) return session.error();
    auto done =
        each(messages_prefix(id.str()), [&](std::string_view, std::string_view value) -> Result<void> {
          auto message = decode_message(value, Origin::stored);
          if (!message) return message.error();
          session->add_message(std::move(*message));
          return success();
        });
    if (!done) return done.error();
    return SessionPtr(std::make_shared<const Session>(std::move(*session)));
  }

  Result<std::vector<SessionPtr>> list_for_agent(const AgentId& agent) override {
    std::vector<SessionPtr> sessions;
    const std::string prefix = agent_prefix(agent);
    auto done = each(prefix, [&](std::string_view key, std::string_view) -> Result<void> {
      auto session = load(SessionId(key.substr(prefix.size())));
      if (!session) return session.error();
      sessions.push_back(std::move(*session));
      return success();
    });
    if (!done) return done.error();
    return sessions;
  }

 private:
  static typename Library::Slice slice(std::string_view text) {
    return typename Library::Slice(text.data(), text.size());
  }

  Result<void> write(typename Library::WriteBatch& batch, Sync sync) {
    typename Library::WriteOptions options;
    options.sync = sync == Sync::yes;
    const auto status = db_.Write(options, &batch);
    return status.ok() ? success() : Result<void>(rival_error("Write", status.ToString()));
  }

  template <class Visit>
  Result<void> each(const std::string& prefix, Visit visit) {
    const std::unique_ptr<typename Library::Iterator> at(db_.NewIterator(typename Library::ReadOptions()));
    for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
      const auto key = at->key();
      const auto value = at->value();
      Result<void> done =
          visit(std::string_view(key.data(), key.size()), std::string_view(value.data(), value.size()));
      if (!done) return done;
    }
    const auto status = at->status();
    return status.ok() ? success() : Result<void>(rival_error("Seek", status.ToString()));
  }

  typename Library::Db& db_;
};

}  // namespace sessile::bench
