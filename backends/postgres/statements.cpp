#include "statements.hpp"

namespace sessile::postgres {

namespace {

/// `text` with the schema's quoted name for each `@`.
std::string in_schema(std::string_view text, const std::string& schema) {
  std::string out;
  for (const char c : text) {
    if (c == '@') {
      out += schema;
    } else {
      out += c;
    }
  }
  return out;
}

constexpr std::string_view kSummary =
    "s.id, s.agent_id, s.user_id, s.project_id, s.parent_id, s.title, s.pinned, s.created_us, "
    "s.created_text, s.updated_us, s.updated_text, s.revision, s.message_count, s.stored_bytes";

// The last that a time can be, as the statements below have it.
static_assert(kLatestTime.time_since_epoch().count() == 253402300799999999);

// $1 id, $2 agent, $3 user, $4 project, $5 parent, $6 title, $7 pinned, $8 messages, $9 bytes, $10 envelope,
// $11 writer, $12 revision, $13 created, $14 its text, $15 updated, $16 its text, $17 now, $18 and $19
// whether created and updated are kept as given, $20 the revision expected.
constexpr std::string_view kInsert =
    "INSERT INTO @.sessions AS s (id, agent_id, user_id, project_id, parent_id, title, pinned, "
    "message_count, "
    "stored_bytes, envelope, envelope_md5, writer, revision, created_us, created_text, updated_us, "
    "updated_text) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, md5($10), $11, $12, $13, $14, $15, $16) ";

constexpr std::string_view kReplace =
    "SET agent_id = $2, user_id = $3, project_id = $4, parent_id = $5, title = $6, pinned = $7, "
    "message_count = $8, stored_bytes = $9, envelope = $10, envelope_md5 = md5($10), writer = $11, "
    "revision = s.revision + 1, "
    "created_us = CASE WHEN $18 THEN $13 ELSE s.created_us END, "
    "created_text = CASE WHEN $18 THEN $14 ELSE s.created_text END, "
    "updated_us = CASE WHEN $19 THEN $15 ELSE least(253402300799999999, greatest($17, s.updated_us + 1)) "
    "END, "
    "updated_text = CASE WHEN $19 THEN $16 END ";

// $1 id, $2 now, $3 how many messages, $4 their bytes, $5 a title if there is none, $6 writer, $7 the limit
// of bytes, $8 the revision expected or null, $9 the idempotency key.
constexpr std::string_view kAppend =
    "UPDATE @.sessions s SET revision = s.revision + 1, "
    "updated_us = least(253402300799999999, greatest($2, s.updated_us + 1)), "
    "updated_text = NULL, message_count = s.message_count + $3, stored_bytes = s.stored_bytes + $4, "
    "title = coalesce(s.title, $5), writer = $6 "
    "WHERE s.id = $1 AND s.sound AND s.stored_bytes + $4 <= $7 AND ($8 IS NULL OR s.revision = $8)";

// $2 how many of the last messages, $3 the limit of bytes: what is larger is not sent.
constexpr std::string_view kLoad =
    ", s.sound, CASE WHEN s.stored_bytes <= $3 THEN s.envelope END, m.bodies FROM @.sessions s "
    "LEFT JOIN LATERAL (SELECT array_agg(b.body ORDER BY b.seq) AS bodies FROM @.messages b "
    "WHERE b.session_id = s.id AND b.seq > s.message_count - $2 AND s.stored_bytes <= $3) m ON true ";

constexpr std::string_view kWriterStands =
    "EXISTS (SELECT 1 FROM @.sessions s WHERE s.id = $1 AND s.writer = $2)";

}  // namespace

Statements::Statements(const std::string& schema) {
  const auto make = [&](std::string_view name, std::string_view text) {
    return Statement("sessile_" + std::string(name), in_schema(text, schema));
  };
  const std::string insert(kInsert), replace(kReplace), append_text(kAppend), stands(kWriterStands);
  const std::string load_text = "SELECT " + std::string(kSummary) + std::string(kLoad);

  // The transaction's isolation is what the statements are written for, whatever the server's default is.
  begin = make("begin", "BEGIN ISOLATION LEVEL READ COMMITTED");
  commit = make("commit", "COMMIT");
  rollback = Statement(std::string(), "ROLLBACK");
  // What the server is configured to wait for, a standby included, but never less than its own disk.
  settings_power = make("settings_power",
                        "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
                        "WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true), "
                        "set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)");
  settings_process = make("settings_process",
                          "SELECT set_config('synchronous_commit', 'off', true), "
                          "set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)");
  lock = make("lock", "SELECT 1 FROM @.sessions WHERE id = $1 FOR UPDATE");

  save_any = make("save_any", insert + "ON CONFLICT (id) DO UPDATE " + replace + "WHERE s.sound");
  save_absent = make("save_absent", insert + "ON CONFLICT (id) DO NOTHING");
  save_exact = make("save_exact",
                    "UPDATE @.sessions s " + replace + "WHERE s.id = $1 AND s.revision = $20 AND s.sound");
  // Who removed the session before has committed: a statement after the insert sees what it left.
  outbid_retired = make("outbid_retired",
                        "UPDATE @.sessions s SET revision = r.revision + 1 FROM @.retired r WHERE s.id = $1 "
                        "AND s.writer = $2 AND r.id = s.id AND r.revision >= s.revision");
  sweep_retired = make("sweep_retired",
                       "DELETE FROM @.retired WHERE id IN (SELECT id FROM @.retired WHERE revision < $1 "
                       "ORDER BY revision LIMIT 10 FOR UPDATE SKIP LOCKED)");
  cut_messages =
      make("cut_messages", "DELETE FROM @.messages WHERE session_id = $1 AND seq > $3 AND " + stands);
  const std::string add_text =
      "INSERT INTO @.messages (session_id, seq, body) "
      "SELECT s.id, s.message_count - cardinality($3::text[]) + t.n, t.body "
      "FROM @.sessions s, unnest($3::text[]) WITH ORDINALITY AS t(body, n) "
      "WHERE s.id = $1 AND s.writer = $2";
  add_messages = make("add_messages", add_text);
  // Run again by the same writer, after a commit whose answer was lost, it finds its key.
  add_messages_keyed = make("add_messages_keyed", add_text +
                                                      " AND NOT EXISTS (SELECT 1 FROM @.appends a "
                                                      "WHERE a.session_id = $1 AND a.key = $4)");
  append = make("append", append_text);
  append_keyed = make("append_keyed", append_text +
                                          " AND NOT EXISTS (SELECT 1 FROM @.appends a "
                                          "WHERE a.session_id = $1 AND a.key = $9)");

  // A key that is there with another revision violates the primary key, and that undoes the append: where the
  // session was made between `lock` and `append_keyed`, the latter waits for the row with a snapshot in which
  // the key of who had it is missing. With this revision it is our own, of a commit whose answer was lost.
  remember =
      make("remember",
           "INSERT INTO @.appends (session_id, key, fingerprint, revision, created_us, created_text, "
           "updated_us) SELECT s.id, $3, $4, s.revision, s.created_us, s.created_text, s.updated_us "
           "FROM @.sessions s WHERE s.id = $1 AND s.writer = $2 AND NOT EXISTS (SELECT 1 FROM @.appends a "
           "WHERE a.session_id = $1 AND a.key = $3 AND a.revision = s.revision)");
  forget = make("forget",
                "DELETE FROM @.appends WHERE session_id = $1 AND revision <= (SELECT a.revision "
                "FROM @.appends a WHERE a.session_id = $1 ORDER BY a.revision DESC OFFSET $2 LIMIT 1)");
  recall = make("recall",
                "SELECT fingerprint, revision, created_us, created_text, updated_us FROM @.appends "
                "WHERE session_id = $1 AND key = $2");

  // What is older than $3 no first revision can meet again.
  remove_session =
      make("remove_session",
           "WITH gone AS (DELETE FROM @.sessions s WHERE s.id = $1 AND s.sound AND ($2 IS NULL OR "
           "s.revision = $2) RETURNING s.id, s.revision), kept AS (INSERT INTO @.retired AS r (id, "
           "revision) SELECT id, revision FROM gone WHERE revision >= $3 ON CONFLICT (id) DO UPDATE "
           "SET revision = greatest(r.revision, excluded.revision)) SELECT revision FROM gone");
  const std::string_view gone = "AND NOT EXISTS (SELECT 1 FROM @.sessions s WHERE s.id = $1)";
  remove_messages =
      make("remove_messages", "DELETE FROM @.messages WHERE session_id = $1 " + std::string(gone));
  remove_appends = make("remove_appends", "DELETE FROM @.appends WHERE session_id = $1 " + std::string(gone));
  probe = make("probe",
               "SELECT revision, created_us, created_text, updated_us, updated_text, writer, sound, "
               "stored_bytes FROM @.sessions WHERE id = $1");

  load = make("load", load_text + "WHERE s.id = $1");
  load_many = make("load_many", load_text + "WHERE s.id = ANY ($1::text[])");
  unsound = make("unsound", "SELECT s.id FROM @.sessions s WHERE NOT s.sound ORDER BY s.id LIMIT 1000");
  version = make("version", "SELECT version FROM @.store WHERE one");
  touch = make("touch", "UPDATE @.sessions SET writer = writer WHERE id = $1");
  sync = make("sync", "UPDATE @.store SET synced = synced + 1 WHERE one");
  select_summaries = in_schema("SELECT " + std::string(kSummary) + " FROM @.sessions s ", schema);
}

std::vector<Statement> migration(const std::string& schema, std::int64_t from) {
  static constexpr std::string_view kFirst[] = {
      "CREATE TABLE @.sessions ("
      "id text COLLATE \"C\" NOT NULL PRIMARY KEY, "
      "agent_id text COLLATE \"C\" NOT NULL, "
      "user_id text COLLATE \"C\" NOT NULL, "
      "project_id text COLLATE \"C\" NOT NULL, "
      "parent_id text COLLATE \"C\" NOT NULL, "
      "title text COLLATE \"C\", "
      "pinned boolean NOT NULL, "
      "created_us bigint NOT NULL, "
      "created_text text, "
      "updated_us bigint NOT NULL, "
      "updated_text text, "
      "revision bigint NOT NULL, "
      "message_count bigint NOT NULL, "
      "stored_bytes bigint NOT NULL, "
      "writer bigint NOT NULL, "
      "envelope_md5 text NOT NULL, "
      "envelope text NOT NULL, "
      "sound boolean NOT NULL GENERATED ALWAYS AS (md5(envelope) = envelope_md5) STORED)",
      "CREATE INDEX sessions_newest ON @.sessions (updated_us DESC, id)",
      "CREATE INDEX sessions_agent ON @.sessions (agent_id, updated_us DESC, id)",
      "CREATE INDEX sessions_user ON @.sessions (user_id, updated_us DESC, id) WHERE user_id <> '\"\"'",
      "CREATE INDEX sessions_project ON @.sessions (project_id, updated_us DESC, id) "
      "WHERE project_id <> '\"\"'",
      "CREATE INDEX sessions_unsound ON @.sessions (id) WHERE NOT sound",
      "CREATE TABLE @.messages ("
      "session_id text COLLATE \"C\" NOT NULL, "
      "seq bigint NOT NULL, "
      "body text NOT NULL, "
      "PRIMARY KEY (session_id, seq))",
      "CREATE TABLE @.appends ("
      "session_id text COLLATE \"C\" NOT NULL, "
      "key bytea NOT NULL, "
      "fingerprint text NOT NULL, "
      "revision bigint NOT NULL, "
      "created_us bigint NOT NULL, "
      "created_text text, "
      "updated_us bigint NOT NULL, "
      "PRIMARY KEY (session_id, key))",
      "CREATE INDEX appends_oldest ON @.appends (session_id, revision)",
      "CREATE TABLE @.retired ("
      "id text COLLATE \"C\" NOT NULL PRIMARY KEY, "
      "revision bigint NOT NULL)",
      "CREATE INDEX retired_oldest ON @.retired (revision)",
  };
  std::vector<Statement> out;
  if (from == 0) {
    for (const std::string_view text : kFirst)
      out.emplace_back(std::string(), in_schema(text, schema));
  }
  return out;
}

}  // namespace sessile::postgres
