// The stores of sessions.
#include "backends/filesystem/store.hpp"
#include "backends/json_directory/factory.hpp"
#include "subject.hpp"
#include "support/run.hpp"

#include <sessile/store.hpp>

namespace sessile::crash {

namespace {

/// Of what an update puts in the place of what it put there before.
constexpr std::size_t kNoteBytes = 3000;
constexpr const char* kPlace = "/place/store";
/// A log is made in whole blocks: what is left of its last one takes an append without making it longer.
constexpr std::size_t kMoreThanThereIsRoomFor = 5000;
/// Of a message whose record is not read whole to find the end of a log.
constexpr std::size_t kLargeBytes = 70'000;

/// A session as the test knows it.
class Known {
 public:
  std::string agent;
  std::vector<std::string> messages;
  Revision revision = 0;  ///< 0: not known

  State state() const {
    State text = agent + ":";
    for (const std::string& message : messages)
      text +=
          " " + (message.size() > 40 ? message.substr(0, 8) + "~" + std::to_string(message.size()) : message);
    return text + "@" + (revision == 0 ? "?" : std::to_string(revision));
  }
};

State state_of(const Session& session) {
  Known known;
  known.agent = session.agent_id.str();
  for (const Message& message : session.messages)
    known.messages.emplace_back(message.content.is_string() ? std::string(message.content.get_string())
                                                            : "?");
  known.revision = session.revision;
  return known.state();
}

class SessionSubject : public Subject {
 public:
  std::vector<std::string> operations() const override {
    return {"save_a",     "save_a_weak", "append_a",      "append_a_weak", "key_a",
            "key_a_weak", "update_a",    "update_a_weak", "remove_a",      "remove_a_weak",
            "save_b",     "flush",       "grow_a"};
  }

  void open(Machine& machine) override {
    close();
    machine_ = &machine;
    clock_ = std::make_shared<testing::ManualClock>();
    OpenOptions options;
    options.executor(runner_.executor()).clock(clock_);
    store_ = make(machine.files(), std::move(options));
  }
  void close() override {
    store_.reset();
    runner_.finish();
  }
  void forget() override {
    known_.clear();
    step_ = 0;
  }

  Effect run(const std::string& operation) override {
    ++step_;
    clock_->advance(std::chrono::microseconds(10));
    const bool weak = operation.ends_with("_weak");
    const std::string what = operation.substr(0, operation.size() - (weak ? 5 : 0));
    if (what == "flush") return flush();
    const std::string id = what.substr(what.rfind('_') + 1);
    const std::string verb = what.substr(0, what.rfind('_'));
    Effect effect;
    effect.object = id;
    effect.durability = weak ? Durability::process : Durability::power;
    if (verb == "save" || verb == "fill") return save(std::move(effect), verb == "fill");
    if (verb == "append") return append(std::move(effect), "");
    if (verb == "grow") return append(std::move(effect), "", kMoreThanThereIsRoomFor);
    if (verb == "pad") return append(std::move(effect), "", room_before_compaction());
    if (verb == "large") return append(std::move(effect), "", kLargeBytes);
    if (verb == "key") return append(std::move(effect), "key");
    if (verb == "update") return update(std::move(effect));
    if (verb == "note") return note(std::move(effect));
    return remove(std::move(effect));
  }

  bool adopt(const std::string& object, const State& found) override {
    const auto before = known_.find(object);
    if (found == (before == known_.end() ? kAbsent : before->second.state())) return true;
    if (!candidate_ && found == kAbsent) return known_.erase(object), true;
    if (!candidate_ || !matches(candidate_->state(), found)) return false;
    candidate_->revision = std::stoull(found.substr(found.rfind('@') + 1));
    known_[object] = *candidate_;
    return true;
  }
  std::map<std::string, State> expected() const override {
    std::map<std::string, State> states{{"a", kAbsent}, {"b", kAbsent}, {"n", kAbsent}, {"z", kAbsent}};
    for (const auto& [id, known] : known_)
      states[id] = known.state();
    return states;
  }

  Observation observe() override {
    Observation seen;
    std::map<std::string, Revision> readable;
    std::map<std::string, std::string> agents;
    for (const std::string id : {"a", "b", "n", "z"}) {
      auto loaded = runner_.run(store_->load(SessionId(id)));
      if (loaded) {
        seen.objects[id] = state_of(**loaded);
        readable[id] = (*loaded)->revision;
        agents[id] = (*loaded)->agent_id.str();
      } else if (loaded.error().code() == Errc::not_found) {
        seen.objects[id] = kAbsent;
      } else {
        seen.objects[id] = kCorrupt + ": " + loaded.error().message();
        if (loaded.error().code() != Errc::corrupt) seen.problem = "load: " + loaded.error().message();
      }
    }
    check_list(seen, readable);
    for (const std::string agent : {"x", "y"})
      check_agent(seen, agent, agents);
    return seen;
  }

  std::string verify() override { return damage_in(runner_.run(store_->verify())); }
  void write_again(Observation& seen) override {
    const std::string id = seen.objects["a"].starts_with(kCorrupt) ? "z" : "a";
    const bool append = id == "a" && seen.objects["a"] != kAbsent;
    seen.written = id;
    Session session(id);
    session.set_agent("x").add_message("assistant", json::value("again"));
    const Message message("assistant", json::value("again"));
    auto written = append ? runner_.run(store_->append(SessionId(id), message))
                          : runner_.run(store_->save(std::move(session)));
    if (!written) return fail(seen, "the next write: " + written.error().message());
    auto loaded = runner_.run(store_->load(SessionId(id)));
    if (!loaded) return fail(seen, "after the next write: " + loaded.error().message());
    const State before = append ? seen.objects["a"].substr(0, seen.objects["a"].rfind('@')) : "x:";
    const State found = state_of(**loaded);
    if (found != before + " again@" + std::to_string(written->revision)) {
      return fail(seen, "after the next write there is: " + found);
    }
    if (id == "a") check_left(seen);
  }

 protected:
  virtual std::shared_ptr<SessionStore> make(std::shared_ptr<storage::FileSystem> files,
                                             OpenOptions options) = 0;
  /// What must not be left in the directories when session a was written again.
  virtual void check_left(Observation& seen) = 0;
  /// How long a message fills the log of session a, so that the next write compacts it.
  virtual std::size_t room_before_compaction() const { return 0; }
  /// True when what is stored of this session may hold a record that a listing does not read whole.
  virtual bool is_large(const std::string&) const { return false; }
  static void fail(Observation& seen, std::string problem) {
    if (seen.problem.empty()) seen.problem = std::move(problem);
  }

  Machine* machine_ = nullptr;
  Runner runner_;
  std::shared_ptr<testing::ManualClock> clock_;
  std::shared_ptr<SessionStore> store_;

 private:
  /// Takes in an acknowledged write, or the failure of one.
  template <class T>
  Effect finish(Effect effect, const Result<T>& result, Known next, Revision revision) {
    if (result) {
      next.revision = revision;
      known_[effect.object] = next;
    } else {
      set_failure(effect, result.error());
      next.revision = 0;
    }
    effect.state = next.state();
    candidate_ = std::move(next);
    return effect;
  }

  Effect save(Effect effect, bool fill) {
    Known next;
    next.agent = "x";
    next.messages = {"s" + std::to_string(step_)};
    // Differs from what was there, so that all of it is written again.
    if (fill) next.messages[0].append(100, 'f');
    Session session(effect.object);
    session.set_agent(next.agent).add_message("assistant", json::value(next.messages[0]));
    auto written = runner_.run(store_->save(std::move(session), SaveOptions().durability(effect.durability)));
    return finish(std::move(effect), written, std::move(next), written ? written->revision : 0);
  }
  /// What is not there cannot be changed: that is no failure, and no effect either.
  template <class T>
  bool is_rightly_refused(Effect& effect, const Result<T>& result) {
    if (known_.contains(effect.object) || result || result.error().code() != Errc::not_found) return false;
    effect.state = kAbsent;
    set_failure(effect, result.error());
    return true;
  }
  Effect append(Effect effect, const std::string& key, std::size_t padding = 0) {
    const auto before = known_.find(effect.object);
    Known next = before == known_.end() ? Known() : before->second;
    std::string text = key.empty() ? "p" + std::to_string(step_) : "keyed";
    text.append(padding, 'p');
    AppendOptions options;
    options.durability(effect.durability).idempotency_key(key);
    auto written = runner_.run(store_->append(SessionId(effect.object),
                                              Message("assistant", json::value(text)), std::move(options)));
    if (is_rightly_refused(effect, written)) return effect;
    if (written && written->replayed) {
      effect.state = next.state();  // with its present revision, whatever that of the first call was
      return effect;
    }
    next.messages.push_back(text);
    return finish(std::move(effect), written, std::move(next), written ? written->revision : 0);
  }
  Effect update(Effect effect) {
    const auto before = known_.find(effect.object);
    Known next = before == known_.end() ? Known() : before->second;
    next.agent = next.agent == "x" ? "y" : "x";
    next.messages.push_back("u" + std::to_string(step_));
    const auto mutate = [next](Session& session) {
      session.set_agent(next.agent).add_message("assistant", json::value(next.messages.back()));
    };
    auto updated = runner_.run(store_->update(SessionId(effect.object), Mutation(mutate),
                                              UpdateOptions().durability(effect.durability)));
    if (is_rightly_refused(effect, updated)) return effect;
    return finish(std::move(effect), updated, std::move(next), updated ? (*updated)->revision : 0);
  }
  /// Makes the log longer, and the session not.
  Effect note(Effect effect) {
    const auto before = known_.find(effect.object);
    Known next = before == known_.end() ? Known() : before->second;
    const std::string text(kNoteBytes, static_cast<char>('a' + step_ % 26));
    const auto mutate = [&text](Session& session) { session.set_metadata("note", json::value(text)); };
    auto noted = runner_.run(store_->update(SessionId(effect.object), Mutation(mutate),
                                            UpdateOptions().durability(effect.durability)));
    if (is_rightly_refused(effect, noted)) return effect;
    return finish(std::move(effect), noted, std::move(next), noted ? (*noted)->revision : 0);
  }
  Effect remove(Effect effect) {
    auto removed =
        runner_.run(store_->remove(SessionId(effect.object), RemoveOptions().durability(effect.durability)));
    if (is_rightly_refused(effect, removed)) return effect;
    effect.state = kAbsent;
    candidate_.reset();
    if (removed) {
      known_.erase(effect.object);
    } else {
      set_failure(effect, removed.error());
    }
    return effect;
  }
  Effect flush() {
    Effect effect;
    if (auto flushed = runner_.run(store_->flush()); !flushed) {
      set_failure(effect, flushed.error());
      effect.outcome = Outcome::failed;  // no object changed
    }
    return effect;
  }

  /// What can be loaded is listed as it is, and what cannot is either reported, or listed by its head.
  void check_list(Observation& seen, const std::map<std::string, Revision>& readable) {
    auto page = runner_.run(store_->list());
    if (!page) return fail(seen, "list: " + page.error().message());
    std::size_t corrupt = 0;
    for (const auto& [id, state] : seen.objects)
      corrupt += state.starts_with(kCorrupt) ? 1U : 0U;
    std::map<std::string, Revision> listed;
    for (const SessionSummary& summary : page->items) {
      const std::string& id = summary.id.str();
      const bool damaged = seen.objects[id].starts_with(kCorrupt);
      if (damaged) {
        --corrupt;
      } else {
        // A listing believes the head of a record that it does not read whole, though it may be torn behind.
        const auto loaded = readable.find(id);
        const bool may_be_ahead =
            loaded != readable.end() && loaded->second < summary.revision && is_large(id);
        listed[id] = may_be_ahead ? loaded->second : summary.revision;
      }
    }
    if (listed != readable) fail(seen, "list and load do not agree");
    if (page->unreadable.size() != corrupt) {
      fail(seen, std::to_string(page->unreadable.size()) + " unreadable in the listing, " +
                     std::to_string(corrupt) + " found");
    }
  }
  void check_agent(Observation& seen, const std::string& agent,
                   const std::map<std::string, std::string>& agents) {
    auto page = runner_.run(store_->list(ListQuery().agent(AgentId(agent))));
    if (!page) return fail(seen, "list of an agent: " + page.error().message());
    std::set<std::string> listed;
    for (const SessionSummary& summary : page->items)
      listed.insert(summary.id.str());
    for (const auto& [id, state] : seen.objects) {
      if (state.starts_with(kCorrupt)) listed.erase(id);
    }
    for (const auto& [id, owner] : agents) {
      const bool is_listed = listed.erase(id) != 0;
      if (owner == agent && !is_listed) seen.unlisted.insert(id);
      if (owner != agent && is_listed) fail(seen, id + " is listed under " + agent);
    }
    if (!listed.empty()) fail(seen, "unknown sessions are listed under " + agent);
  }

  std::map<std::string, Known> known_;
  std::optional<Known> candidate_;
  int step_ = 0;
};

class FilesystemSubject final : public SessionSubject {
 public:
  std::string name() const override { return "filesystem"; }
  std::map<std::string, std::vector<std::string>> starts() const override {
    return {{"fresh", {}}, {"kept", {"save_a", "append_a", "save_n"}}};
  }

 private:
  std::shared_ptr<SessionStore> make(std::shared_ptr<storage::FileSystem> files,
                                     OpenOptions options) override {
    return std::make_shared<filesystem::FilesystemStore>(std::move(files), kPlace, LockOptions(),
                                                         std::move(options));
  }
  void check_left(Observation& seen) override {
    for (const std::string& left : temporary_files(machine_->disk())) {
      if (left.find("/a.json.tmp.") != std::string::npos) fail(seen, "left behind: " + left);
    }
  }
};

class JsonDirectorySubject final : public SessionSubject {
 public:
  std::string name() const override { return "json_directory"; }
  std::vector<std::string> operations() const override {
    auto all = SessionSubject::operations();
    for (const std::string operation : {"note_a", "aside", "compact_a"})
      all.push_back(operation);
    return all;
  }
  void close() override {
    SessionSubject::close();
    // What was begun beside the store ends with the process.
    aside_ = std::make_unique<asio::io_context>(1);
  }
  Effect run(const std::string& operation) override {
    const InodeId before = log_of("a");
    Effect effect = run_one(operation);
    const InodeId after = log_of("a");
    compactions_ += before != 0 && after != 0 && before != after ? 1U : 0U;
    return effect;
  }
  std::uint64_t compactions() const override { return compactions_; }
  std::string write_to_a_log() const override { return "append_a"; }
  std::map<std::string, std::vector<std::string>> starts() const override {
    std::vector<std::string> full{"save_n"};
    full.resize(7, "fill_a");
    full.push_back("pad_a");
    // The log of a session that is compacted aside, and due for it.
    std::vector<std::string> large{"save_a", "grow_a"};
    large.resize(9, "note_a");
    return {{"fresh", {}}, {"kept", {"save_a", "append_a", "save_n"}}, {"full", full}, {"large", large}};
  }

 private:
  Effect run_one(const std::string& operation) {
    if (operation == "aside" || operation == "half_aside") return compact_aside(operation == "aside");
    if (operation != "compact_a") return SessionSubject::run(operation);
    // Known to the store, so that a log that the note makes due is compacted at once.
    runner_.run(store_->load(SessionId("a"))).has_value();
    Effect effect = SessionSubject::run("note_a");
    compact_aside(true);
    return effect;
  }
  /// Goes on with the compaction that is under way, to its end or to where its first half is done. Of the
  /// sessions it changes nothing.
  Effect compact_aside(bool whole) {
    if (whole) {
      aside_->run();
    } else {
      // What begins it, and its work.
      for (int i = 0; i < 2; ++i)
        aside_->run_one();
    }
    aside_->restart();
    Effect effect;
    set_failure(effect, Error(Errc::not_found));
    return effect;
  }

  std::shared_ptr<SessionStore> make(std::shared_ptr<storage::FileSystem> files,
                                     OpenOptions options) override {
    json_directory::CompactionSettings compaction;
    compaction.small_log_bytes = kCompactedBeyond;
    compaction.small_session_bytes = kCompactedAsideBeyond;
    compaction.executor = aside_->get_executor();
    return detail::make_json_directory_store_on(std::move(files), kPlace, LockOptions(), std::move(options),
                                                std::move(compaction))
        .value();
  }
  void check_left(Observation&) override {}
  std::size_t room_before_compaction() const override {
    constexpr std::size_t kOverhead = 480;  // of the record, about
    const FileNode* const log = machine_->disk().file(log_of("a"));
    const std::size_t end = log->current->find_last_not_of('\n') + 1 + kOverhead;
    return end < kCompactedBeyond ? kCompactedBeyond - end : 0;
  }
  bool is_large(const std::string& id) const override {
    const FileNode* const log = machine_->disk().file(log_of(id));
    return log != nullptr && log->current->size() > kLargeBytes;
  }
  /// 0: there is none.
  InodeId log_of(const std::string& id) const {
    for (const auto& [inode, directory] : machine_->disk().directories()) {
      const auto log = directory.current.find(id + ".jsonl");
      if (log != directory.current.end()) return log->second.inode;
    }
    return 0;
  }

  /// Small, so that a few operations fill a log.
  static constexpr std::size_t kCompactedBeyond = 4096;
  static constexpr std::size_t kCompactedAsideBeyond = 5500;
  std::unique_ptr<asio::io_context> aside_ = std::make_unique<asio::io_context>(1);
  std::uint64_t compactions_ = 0;
};

}  // namespace

std::unique_ptr<Subject> make_filesystem_subject() {
  return std::make_unique<FilesystemSubject>();
}
std::unique_ptr<Subject> make_json_directory_subject() {
  return std::make_unique<JsonDirectorySubject>();
}

}  // namespace sessile::crash
