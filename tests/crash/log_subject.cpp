// The memory, and a session's plain log.
#include "logs/log_access.hpp"
#include "subject.hpp"
#include "support/run.hpp"

#include <sessile/memory_log.hpp>
#include <sessile/session_log.hpp>

namespace sessile::crash {

namespace {

constexpr MemoryId kNobodysId = MemoryId{1} << 40;

std::string weak_suffix(Durability durability) {
  return durability == Durability::power ? "" : "_weak";
}

LogOptions options_for(Runner& runner, Durability durability) {
  LogOptions options;
  options.executor(runner.executor()).durability(durability).clock(std::make_shared<testing::ManualClock>());
  return options;
}

/// One object, "memory": its items in the order of their ids.
class MemorySubject final : public Subject {
 public:
  explicit MemorySubject(Durability durability) : durability_(durability) {}
  std::string name() const override { return "memory" + weak_suffix(durability_); }
  std::vector<std::string> operations() const override { return {"add", "forget", "compact", "reopen"}; }
  std::map<std::string, std::vector<std::string>> starts() const override {
    return {{"fresh", {}}, {"kept", {"add", "add", "forget", "add"}}};
  }
  std::string write_to_a_log() const override { return durability_ == Durability::power ? "add" : ""; }

  void open(Machine& machine) override {
    close();
    machine_ = &machine;
    open_log();
  }
  void close() override {
    log_.reset();
    runner_.finish();
  }
  void forget() override {
    known_.clear();
    step_ = 0;
  }

  Effect run(const std::string& operation) override {
    ++step_;
    Effect effect;
    effect.object = "memory";
    effect.durability = durability_;
    auto next = known_;
    if (operation == "reopen") {
      close();
      open_log();
    }
    if (!log_) {
      set_failure(effect, opening_);
      effect.outcome = Outcome::failed;
      return effect;
    }
    if (operation == "add") {
      const std::string text = "m" + std::to_string(step_);
      auto added = runner_.run(log_->add(MemoryKind::fact, text));
      if (added) next[added->id] = text;
      if (added) effect.id = added->id;
      if (!added) next[0] = text;  // under an id that we were not told
      return finish(std::move(effect), added, std::move(next));
    }
    if (operation == "forget" && !next.empty()) {
      const MemoryId id = next.rbegin()->first;
      next.erase(id);
      return finish(std::move(effect), runner_.run(log_->forget(id)), std::move(next));
    }
    if (operation == "compact")
      return finish(std::move(effect), runner_.run(log_->compact()), std::move(next));
    effect.outcome = Outcome::failed;  // reopened, or nothing to forget: nothing was promised
    effect.code = Errc::not_found;
    return effect;
  }

  bool adopt(const std::string&, const State& found) override {
    if (found == text_of(known_)) return true;
    const auto unknown = candidate_.find(0);
    if (unknown != candidate_.end()) {
      const std::string text = unknown->second;
      const std::size_t at = found.find(":" + text + " ");
      if (at == std::string::npos) return false;
      candidate_.erase(unknown);
      const std::size_t begin = found.rfind(' ', at);
      candidate_[std::stoull(found.substr(begin == std::string::npos ? 0 : begin + 1))] = text;
    }
    if (found != text_of(candidate_)) return false;
    known_ = candidate_;
    return true;
  }
  std::map<std::string, State> expected() const override { return {{"memory", text_of(known_)}}; }

  Observation observe() override {
    Observation seen;
    if (!log_) open_log();
    if (!log_) {
      seen.objects["memory"] = kCorrupt + ": " + opening_.message();
      if (opening_.code() != Errc::corrupt) seen.problem = "open: " + opening_.message();
      return seen;
    }
    // An indeterminate write makes the handle read its file again, at the next operation that may write.
    if (std::exchange(uncertain_, false)) runner_.run(log_->forget(kNobodysId)).ignore();
    auto items = runner_.run(log_->list());
    if (!items) {
      seen.problem = "list: " + items.error().message();
      return seen;
    }
    std::map<MemoryId, std::string> found;
    for (const MemoryItem& item : *items)
      found[item.id] = item.note.content;
    seen.objects["memory"] = text_of(found);
    return seen;
  }

  std::string verify() override {
    close();  // it takes the lock
    auto report = runner_.run(detail::LogAccess::verify_memory(
        machine_->files(), "/place/memory.jsonl", VerifyOptions(), options_for(runner_, durability_)));
    open_log();
    return damage_in(report);
  }
  bool writes_again_durably() const override { return durability_ == Durability::power; }
  void write_again(Observation& seen) override {
    if (!log_) return;
    auto added = runner_.run(log_->add(MemoryKind::fact, "again"));
    if (!added) {
      seen.problem = "the next write: " + added.error().message();
      return;
    }
    seen.next_id = added->id;
    seen.written = "memory";
    const State before = seen.objects["memory"];
    close();
    open_log();
    const Observation after = observe();
    if (!after.problem.empty()) seen.problem = "after the next write: " + after.problem;
    if (after.objects.at("memory") != before + std::to_string(added->id) + ":again ") {
      seen.problem = "after the next write there is: " + after.objects.at("memory");
    }
    close();
    for (const std::string& left : temporary_files(machine_->disk())) {
      if (left.find("/memory.jsonl.tmp") != std::string::npos) seen.problem = "left behind: " + left;
    }
  }

 private:
  void open_log() {
    uncertain_ = false;
    auto opened = runner_.run(detail::LogAccess::open_memory(machine_->files(), "/place/memory.jsonl",
                                                             options_for(runner_, durability_)));
    if (opened) {
      log_.emplace(std::move(*opened));
    } else {
      opening_ = opened.error();
    }
  }
  static State text_of(const std::map<MemoryId, std::string>& items) {
    State text;
    for (const auto& [id, content] : items)
      text += std::to_string(id) + ":" + content + " ";
    return text;
  }
  template <class T>
  Effect finish(Effect effect, const Result<T>& result, std::map<MemoryId, std::string> next) {
    if (result) {
      known_ = next;
    } else {
      set_failure(effect, result.error());
      uncertain_ = effect.outcome == Outcome::indeterminate;
    }
    effect.state = text_of(next);
    candidate_ = std::move(next);
    return effect;
  }

  const Durability durability_;
  Machine* machine_ = nullptr;
  Runner runner_;
  std::optional<MemoryLog> log_;
  Error opening_;
  std::map<MemoryId, std::string> known_;
  std::map<MemoryId, std::string> candidate_;
  bool uncertain_ = false;
  int step_ = 0;
};

/// One object, "log": its turns in their order.
class SessionLogSubject final : public Subject {
 public:
  explicit SessionLogSubject(Durability durability) : durability_(durability) {}
  std::string name() const override { return "session_log" + weak_suffix(durability_); }
  std::vector<std::string> operations() const override { return {"start", "append", "reopen"}; }
  std::map<std::string, std::vector<std::string>> starts() const override {
    return {{"fresh", {}}, {"kept", {"append", "append"}}};
  }
  std::string write_to_a_log() const override { return durability_ == Durability::power ? "append" : ""; }

  void open(Machine& machine) override {
    close();
    machine_ = &machine;
    log_.emplace(detail::LogAccess::session_log(machine.files(), "/place/logs/s.jsonl",
                                                json::object{{"model", "m"}},
                                                options_for(runner_, durability_)));
  }
  void close() override {
    log_.reset();
    runner_.finish();
  }
  void forget() override {
    known_ = kAbsent;
    step_ = 0;
  }

  Effect run(const std::string& operation) override {
    ++step_;
    Effect effect;
    effect.object = "log";
    effect.durability = durability_;
    effect.state = known_ == kAbsent ? "log:" : known_;
    if (operation == "start") return finish(std::move(effect), runner_.run(log_->start()));
    if (operation == "append") {
      // The header may be there without the first turn.
      if (known_ == kAbsent) effect.halfway = effect.state;
      effect.state += " t" + std::to_string(step_) + ".";
      const std::string text = "t" + std::to_string(step_) + ".";
      return finish(std::move(effect), runner_.run(log_->append(Message("user", json::value(text)))));
    }
    open(*machine_);
    effect.outcome = Outcome::failed;
    effect.code = Errc::not_found;
    return effect;
  }
  bool adopt(const std::string&, const State& found) override {
    if (found == known_) return true;
    if (found != candidate_) return false;
    known_ = found;
    return true;
  }
  std::map<std::string, State> expected() const override { return {{"log", known_}}; }

  Observation observe() override {
    Observation seen;
    State& state = seen.objects["log"];
    auto loaded = runner_.run(log_->load());
    if (!loaded) {
      state = kAbsent;
      if (loaded.error().code() != Errc::not_found) seen.problem = "load: " + loaded.error().message();
      return seen;
    }
    state = text_of(*loaded);
    return seen;
  }
  std::string verify() override {
    // A log that promises less may have lost any line of many.
    if (durability_ != Durability::power) return {};
    auto report = runner_.run(log_->verify());
    if (!report && report.error().code() == Errc::not_found) return {};
    return damage_in(report);
  }
  void write_again(Observation& seen) override {
    const State before = seen.objects["log"] == kAbsent ? "log:" : seen.objects["log"];
    seen.written = "log";
    auto appended = runner_.run(log_->append(Message("user", json::value("again"))));
    auto loaded = runner_.run(log_->load());
    if (!appended || !loaded) {
      seen.problem = "the next write: " + (appended ? loaded.error() : appended.error()).message();
      loaded.ignore();
    } else if (text_of(*loaded) != before + " again") {
      seen.problem = "after the next write there is: " + text_of(*loaded);
    }
  }
  bool writes_again_durably() const override { return durability_ == Durability::power; }
  /// Plain lines: any of those that were not promised to survive the power may be missing.
  bool is_damage(const State& state) const override {
    if (state == kAbsent) return true;
    if (!state.starts_with("log:")) return false;
    std::size_t at = 0;
    for (std::size_t begin = state.find(' '); begin != State::npos;) {
      const std::size_t end = state.find(' ', begin + 1);
      at = known_.find(state.substr(begin, end - begin), at);
      if (at == State::npos) return false;
      begin = end;
    }
    return true;
  }

 private:
  /// A file without its first line was made and not written to: no log began.
  static State text_of(const LoadedLog& log) {
    if (log.meta.empty() && log.turns.empty()) return kAbsent;
    State text = "log:";
    for (const Message& turn : log.turns)
      text += " " + std::string(turn.content.get_string());
    return text;
  }
  Effect finish(Effect effect, const Result<void>& result) {
    candidate_ = effect.state;
    if (result) {
      known_ = effect.state;
    } else {
      set_failure(effect, result.error());
    }
    return effect;
  }

  const Durability durability_;
  Machine* machine_ = nullptr;
  Runner runner_;
  std::optional<SessionLog> log_;
  State known_ = kAbsent;
  State candidate_;
  int step_ = 0;
};

}  // namespace

std::unique_ptr<Subject> make_memory_subject(Durability durability) {
  return std::make_unique<MemorySubject>(durability);
}
std::unique_ptr<Subject> make_session_log_subject(Durability durability) {
  return std::make_unique<SessionLogSubject>(durability);
}

}  // namespace sessile::crash
