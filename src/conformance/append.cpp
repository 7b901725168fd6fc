// Appends: all messages or none, in order, and once where they carry a key.
#include "conformance/suite.hpp"

#include <map>

namespace sessile::conformance {
namespace {

std::vector<Message> numbered(int first, int count) {
  std::vector<Message> messages;
  for (int i = 0; i < count; ++i)
    messages.emplace_back("assistant", first + i);
  return messages;
}

AppendOptions keyed(std::string key) {
  return AppendOptions().idempotency_key(std::move(key));
}

void order(Context& c) {
  Subject& store = c.open();
  Session session = c.saved(store);
  for (int first = 0; first < 12; first += 3)
    c.get("append", store.append(session.id, numbered(first, 3)));
  for (const Message& message : numbered(0, 12))
    session.add_message(message);
  same_session("the session appended to", c.load(store, session.id), session);
}

void all_or_nothing(Context& c) {
  Limits limits;
  limits.message_bytes = 2000;
  Subject& store = c.open(OpenOptions().limits(limits));
  const Session session = c.saved(store);
  std::vector<Message> messages = numbered(0, 3);
  messages[1].content = std::string(3000, 'x');
  c.refuse("appending three messages, one too large", Errc::too_large, store.append(session.id, messages));
  same_session("the session appended to", c.load(store, session.id), session);
}

void missing(Context& c) {
  Subject& store = c.open();
  const SessionId id = c.id("missing");
  c.refuse("appending to what is not there", Errc::not_found, store.append(id, Message("user", "x")));
  c.absent(store, id);
}

void nothing(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Session before = c.load(store, session.id);
  c.get("appending no messages", store.append(session.id, std::vector<Message>()));
  expect_equal("the revision after appending nothing", c.load(store, session.id).revision, before.revision);
  c.refuse("appending nothing to what is not there", Errc::not_found,
           store.append(c.id("no"), std::vector<Message>()));
  c.refuse(
      "appending nothing to another revision", Errc::conflict,
      store.append(session.id, std::vector<Message>(), AppendOptions().if_revision(before.revision + 9)));
}

void if_revision(Context& c) {
  Subject& store = c.open();
  Session session = c.saved(store);
  const Revision stored = c.load(store, session.id).revision;
  c.refuse("appending to another revision", Errc::conflict,
           store.append(session.id, Message("user", "x"), AppendOptions().if_revision(stored + 5)));
  same_session("the session after the conflict", c.load(store, session.id), session);
  c.get("appending to that revision",
        store.append(session.id, Message("user", "x"), AppendOptions().if_revision(stored)));
  same_session("the session appended to", c.load(store, session.id), session.add_message("user", "x"));
}

void if_absent(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  const Revision stored = c.load(store, session.id).revision;
  const AppendOptions absent = AppendOptions().if_revision(RevisionCheck::absent());
  const Error error = c.refuse("appending to what must not be there", Errc::conflict,
                               store.append(session.id, Message("user", "x"), absent));
  expect_equal("the revision expected", error.expected(), std::optional<Revision>());
  expect_equal("the revision found", error.actual(), std::optional(stored));
  const Session left = c.load(store, session.id);
  same_session("the session after the conflict", left, session);
  expect_equal("the revision after the conflict", left.revision, stored);
  const SessionId missing = c.id("missing");
  c.refuse("appending to what is not there", Errc::not_found,
           store.append(missing, Message("user", "x"), absent));
  c.absent(store, missing);
}

void keeps_the_rest(Context& c) {
  Subject& store = c.open();
  Session session = c.session().set_title("t").set_user("u").set_project("p").set_metadata("k", 1);
  session.extra["unknown"] = true;
  session.trajectory.push_back(TrajectoryStep("tool"));
  c.get("save", store.save(session));
  c.get("append", store.append(session.id, Message("user", "x")));
  same_session("the session appended to", c.load(store, session.id), session.add_message("user", "x"));
}

asio::awaitable<void> append_in_pairs(Subject* store, SessionId id, std::string role, int pairs) {
  for (int i = 0; i < pairs; ++i) {
    std::vector<Message> pair;
    pair.emplace_back(role, 2 * i);
    pair.emplace_back(role, 2 * i + 1);
    need("a concurrent append", co_await store->append(id, std::move(pair)));
  }
}

void concurrent(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  std::vector<asio::awaitable<void>> work;
  for (int i = 0; i < 8; ++i)
    work.push_back(append_in_pairs(&store, session.id, std::to_string(i), 20));
  c.together(std::move(work));
  const Session loaded = c.load(store, session.id);
  expect_equal("messages after 8 × 20 appends of two", loaded.messages.size(), 321u);
  std::map<std::string, std::int64_t> next;
  for (std::size_t i = 1; i < loaded.messages.size(); ++i) {
    const Message& message = loaded.messages[i];
    same_json("the next message of writer " + message.role, message.content, next[message.role]++);
    if (i % 2 == 0)
      expect_equal("the writer of a pair's second message", message.role, loaded.messages[i - 1].role);
  }
}

void replay(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  const Session session = c.saved(store);
  Written first = c.get("append", store.append(session.id, numbered(0, 2), keyed("k")));
  expect("the first append not to be a replay", !first.replayed);
  c.get("another append", store.append(session.id, numbered(2, 1)));
  const Written again = c.get("append again", store.append(session.id, numbered(0, 2), keyed("k")));
  expect("the second append to be a replay", again.replayed);
  first.replayed = true;
  expect_equal("the revision of the replay", again.revision, first.revision);
  expect_equal("updated_at of the replay", again.updated_at, first.updated_at);
  expect_equal("created_at of the replay", again.created_at, first.created_at);
  expect_equal("messages after the replay", c.load(store, session.id).messages.size(), 4u);
}

void replay_before_revision(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  const Session session = c.saved(store);
  const Revision stored = c.load(store, session.id).revision;
  AppendOptions options = keyed("k").if_revision(stored), other = keyed("other").if_revision(stored);
  c.get("append", store.append(session.id, numbered(0, 1), options));
  expect("a replay although the revision is another now",
         c.get("append again", store.append(session.id, numbered(0, 1), options)).replayed);
  c.refuse("an append that is no replay", Errc::conflict, store.append(session.id, numbered(0, 1), other));
}

void key_reused(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  const Session session = c.saved(store);
  c.get("append", store.append(session.id, numbered(0, 1), keyed("k")));
  c.refuse("other messages under a used key", Errc::invalid_argument,
           store.append(session.id, numbered(5, 1), keyed("k")));
  c.refuse("more messages under a used key", Errc::invalid_argument,
           store.append(session.id, numbered(0, 2), keyed("k")));
  expect_equal("messages", c.load(store, session.id).messages.size(), 2u);
}

void remembers_64(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  const Session session = c.saved(store);
  for (int i = 0; i < 64; ++i)
    c.get("append", store.append(session.id, numbered(i, 1), keyed("k" + std::to_string(i))));
  for (int i = 0; i < 64; ++i) {
    const Written again =
        c.get("append again", store.append(session.id, numbered(i, 1), keyed("k" + std::to_string(i))));
    expect("the key " + std::to_string(i) + " of 64 to be remembered", again.replayed);
  }
  c.get("a 65th append", store.append(session.id, numbered(64, 1), keyed("k64")));
  expect("the second of 65 keys to be remembered",
         c.get("append again", store.append(session.id, numbered(1, 1), keyed("k1"))).replayed);
}

void key_length(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  const Session session = c.saved(store);
  for (const std::string& key :
       {std::string(1, 'k'), std::string(200, 'k'), std::string("\xF0\x9F\xA6\x91 /\n")}) {
    c.get("append", store.append(session.id, numbered(0, 1), keyed(key)));
    expect("the key " + show(key) + " to be remembered",
           c.get("append again", store.append(session.id, numbered(0, 1), keyed(key))).replayed);
  }
  for (const std::string& key : {std::string(201, 'k'), std::string("\xff")}) {
    c.refuse("the key " + show(key), Errc::invalid_argument,
             store.append(session.id, numbered(0, 1), keyed(key)));
  }
  expect_equal("messages", c.load(store, session.id).messages.size(), 4u);
}

void keys_survive_save(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  const Session session = c.saved(store);
  c.get("append", store.append(session.id, numbered(0, 1), keyed("k")));
  c.get("save", store.save(c.load(store, session.id)));
  c.get("update", store.update(session.id, [](Session& s) { s.set_title("t"); }));
  expect("a key to be remembered after a save and an update",
         c.get("append again", store.append(session.id, numbered(0, 1), keyed("k"))).replayed);
}

void keys_survive_reopen(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  const Session session = c.saved(store);
  c.get("append", store.append(session.id, numbered(0, 1), keyed("k")));
  Subject& again = c.reopen();
  expect("a key to be remembered by a reopened store",
         c.get("append again", again.append(session.id, numbered(0, 1), keyed("k"))).replayed);
}

void keys_end_with_session(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  const Session session = c.saved(store);
  c.get("append", store.append(session.id, numbered(0, 1), keyed("k")));
  c.get("remove", store.remove(session.id));
  c.get("save", store.save(session));
  expect("a key of a removed session to be forgotten",
         !c.get("append", store.append(session.id, numbered(0, 1), keyed("k"))).replayed);
}

void keys_of_one_session(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  const Session one = c.saved(store, "1"), two = c.saved(store, "2");
  c.get("append", store.append(one.id, numbered(0, 1), keyed("k")));
  expect("a key of another session to be unknown",
         !c.get("append", store.append(two.id, numbered(0, 1), keyed("k"))).replayed);
}

asio::awaitable<void> append_once(Subject* store, SessionId id, std::shared_ptr<std::atomic<int>> writers) {
  std::vector<Message> messages = numbered(0, 2);
  AppendOptions options = keyed("k");
  const Written written = need("append", co_await store->append(id, std::move(messages), std::move(options)));
  if (!written.replayed) ++*writers;
}

void race_of_one_key(Context& c) {
  Subject& store = c.open();
  c.need_idempotent_append(store);
  for (int round = 0; round < 5; ++round) {
    const Session session = c.saved(store, std::to_string(round));
    const auto writers = std::make_shared<std::atomic<int>>(0);
    std::vector<asio::awaitable<void>> work;
    for (int i = 0; i < 8; ++i)
      work.push_back(append_once(&store, session.id, writers));
    c.together(std::move(work));
    expect_equal("how many of 8 appends with one key wrote", writers->load(), 1);
    expect_equal("messages", c.load(store, session.id).messages.size(), 3u);
  }
}

}  // namespace

std::vector<Entry> append_behaviours() {
  return {
      {"append.order", "Messages are appended in order", order},
      {"append.all_or_nothing", "When one message is too large none is appended", all_or_nothing},
      {"append.missing", "Appending to what is not there is not_found and creates nothing", missing},
      {"append.nothing", "Appending no messages checks and writes nothing", nothing},
      {"append.if_revision", "An append that expects another revision is refused", if_revision},
      {"append.if_absent", "An append that expects no session is refused where there is one", if_absent},
      {"append.keeps_the_rest", "An append changes nothing but the messages", keeps_the_rest},
      {"append.concurrent", "Of concurrent appends none is lost, torn or out of order", concurrent},
      {"append.replay", "An append replayed under its key writes nothing and returns the first result",
       replay},
      {"append.replay_before_revision", "A replay is recognised before the revision is looked at",
       replay_before_revision},
      {"append.key_reused", "Other messages under a used key are refused", key_reused},
      {"append.remembers_64", "The last 64 keys are remembered", remembers_64},
      {"append.key_length", "Keys are 1 to 200 bytes of UTF-8", key_length},
      {"append.keys_survive_save", "Keys are remembered across saves and updates", keys_survive_save},
      {"append.keys_survive_reopen", "Keys are remembered by a reopened store", keys_survive_reopen},
      {"append.keys_end_with_session", "Keys are forgotten with their session", keys_end_with_session},
      {"append.keys_of_one_session", "Keys belong to one session", keys_of_one_session},
      {"append.race_of_one_key", "Of concurrent appends with one key exactly one writes", race_of_one_key},
  };
}

}  // namespace sessile::conformance
