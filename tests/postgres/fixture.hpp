// A database of a test's own on the shared server, and stores in it.
#pragma once

#include "support/postgres_server.hpp"
#include "support/run.hpp"
#include "support/sound.hpp"

#include <sessile/blocking.hpp>
#include <sessile/postgres.hpp>
#include <sessile/store.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

namespace sessile::testing {

using StorePtr = std::shared_ptr<SessionStore>;

/// Declared before what has it open: what a test leaves in it is looked at when it goes.
class Database {
 public:
  Database() : server(shared_postgres()), name(server.make_database()) { register_postgres().value(); }

  std::string url(const std::string& parameters = std::string()) const {
    return server.url(name) + (parameters.empty() ? "" : "?" + parameters);
  }
  StorePtr open(const std::string& parameters = std::string(), OpenOptions options = OpenOptions()) const {
    return open_store(url(parameters), std::move(options)).value();
  }
  std::string query(const std::string& sql) const { return server.query(sql, name); }

  /// Runs `body` (PL/pgSQL) at each row that `event` ("BEFORE UPDATE", "AFTER INSERT" …) writes to `table`.
  /// With `deferred`, at the commit. `nth()` in it counts the calls, those of undone transactions too.
  void on(const std::string& event, const std::string& table, const std::string& body,
          bool deferred = false) const {
    query(
        "CREATE SEQUENCE IF NOT EXISTS calls; "
        "CREATE OR REPLACE FUNCTION nth() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('calls') $$; "
        "CREATE FUNCTION injected() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN " +
        body + " RETURN coalesce(NEW, OLD); END $body$; CREATE " + (deferred ? "CONSTRAINT " : "") +
        "TRIGGER injected " + event + " ON sessile." + table +
        (deferred ? " DEFERRABLE INITIALLY DEFERRED" : "") + " FOR EACH ROW EXECUTE FUNCTION injected()");
  }
  void stop_injecting(const std::string& table) const {
    query("DROP TRIGGER injected ON sessile." + table +
          "; DROP FUNCTION injected(); DROP SEQUENCE calls CASCADE");
  }

  PostgresServer& server;
  const std::string name;
  const SoundAtEnd sound{[this] { return blocking::verify(*open()); }};
};

/// A session of one message.
inline Session simple(std::string id) {
  return Session(SessionId(std::move(id))).set_agent("a").add_message("user", "hello");
}

inline std::vector<Message> one_message(std::string text) {
  return std::vector<Message>(1, Message("user", json::value(json::string(text))));
}

/// An error without any part of what must stay secret.
inline void check_discreet(const Error& error, const PostgresServer& server) {
  for (const std::string& text : {error.message(), error.detail(), error.outside_text(), error.path()}) {
    CHECK(text.find(server.password()) == std::string::npos);
    CHECK(text.find("postgres://") == std::string::npos);
    CHECK(text.find("127.0.0.1") == std::string::npos);
  }
}

template <class T>
Error failed(const Result<T>& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

}  // namespace sessile::testing
