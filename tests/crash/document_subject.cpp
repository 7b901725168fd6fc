// The documents.
#include "documents/core.hpp"
#include "subject.hpp"

#include <sessile/documents.hpp>
#include <sessile/json.hpp>

namespace sessile::crash {

namespace {

constexpr const char* kCategory = "work/items";

/// JSON documents j and n, and a Markdown document m.
class DocumentSubject final : public Subject {
 public:
  std::string name() const override { return "documents"; }
  std::vector<std::string> operations() const override {
    return {"save_j",        "save_j_weak", "update_j",    "update_j_weak", "remove_j",
            "remove_j_weak", "save_m",      "save_m_weak", "remove_m"};
  }
  std::map<std::string, std::vector<std::string>> starts() const override {
    return {{"fresh", {}}, {"kept", {"save_j", "update_j", "save_n"}}};
  }

  void open(Machine& machine) override {
    close();
    machine_ = &machine;
    DocumentStoreOptions options;
    options.executor(runner_.executor());
    store_.emplace(std::make_shared<detail::DocumentCore>("/place/documents", options, machine.files()));
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
    const bool weak = operation.ends_with("_weak");
    const std::string what = operation.substr(0, operation.size() - (weak ? 5 : 0));
    Effect effect;
    effect.object = what.substr(what.rfind('_') + 1);
    effect.durability = weak ? Durability::process : Durability::power;
    const std::string verb = what.substr(0, what.rfind('_'));
    if (verb == "save") return save(std::move(effect));
    if (verb == "update") return update(std::move(effect));
    return remove(std::move(effect));
  }

  bool adopt(const std::string& object, const State& found) override {
    if (found == expected().at(object)) return true;
    if (found != candidate_) return false;
    known_[object] = found;
    return true;
  }
  std::map<std::string, State> expected() const override {
    std::map<std::string, State> states{{"j", kAbsent}, {"m", kAbsent}, {"n", kAbsent}};
    for (const auto& [name, state] : known_)
      states[name] = state;
    return states;
  }

  Observation observe() override {
    Observation seen;
    std::set<std::string> there;
    for (const std::string name : {"j", "n"}) {
      auto loaded = runner_.run(store_->load_json(kCategory, name));
      State& state = seen.objects[name];
      if (!loaded) {
        state = corrupt(seen, loaded.error());
      } else {
        state = *loaded ? text_of((**loaded).value) : kAbsent;
      }
      if (state != kAbsent) there.insert(name);
    }
    auto loaded = runner_.run(store_->load_markdown(kCategory, "m"));
    State& state = seen.objects["m"];
    if (!loaded) {
      state = corrupt(seen, loaded.error());
    } else {
      state = *loaded ? (**loaded).text : kAbsent;
    }
    if (state != kAbsent) there.insert("m");
    auto listed = runner_.run(store_->list(kCategory));
    if (!listed) {
      seen.problem = "list: " + listed.error().message();
    } else if (std::set<std::string>(listed->begin(), listed->end()) != there) {
      seen.problem = "list and load do not agree";
    }
    return seen;
  }

  void write_again(Observation& seen) override {
    seen.written = "j";
    auto saved = runner_.run(store_->save_json(kCategory, "j", json::value{{"again", 1}}));
    if (!saved) {
      seen.problem = "the next write: " + saved.error().message();
      return;
    }
    auto loaded = runner_.run(store_->load_json(kCategory, "j"));
    if (!loaded || !*loaded || text_of((**loaded).value) != "{\"again\":1}") {
      seen.problem = "the next write cannot be read";
    }
    for (const std::string& left : temporary_files(machine_->disk()))
      seen.problem = "left behind: " + left;
  }

  /// Markdown has no check: any part of what was written may be there, with NULs for what is not.
  bool is_damage(const State& state) const override {
    if (state.starts_with(kCorrupt)) return true;
    const std::string whole = "# text of step ";
    for (std::size_t i = 0; i < state.size(); ++i) {
      const bool known = i < whole.size() ? state[i] == whole[i] : true;
      if (state[i] != '\0' && !known) return false;
    }
    return state.size() <= whole.size() + 4;
  }

 private:
  static State corrupt(Observation& seen, const Error& error) {
    if (error.code() != Errc::corrupt) seen.problem = "load: " + error.message();
    return kCorrupt + ": " + error.message();
  }
  static State text_of(const json::value& value) {
    State text;
    write_json(text, value);
    return text;
  }
  template <class T>
  Effect finish(Effect effect, const Result<T>& result, State next) {
    effect.state = candidate_ = std::move(next);
    if (result) {
      known_[effect.object] = effect.state;
    } else {
      set_failure(effect, result.error());
    }
    return effect;
  }
  Effect save(Effect effect) {
    const auto options = DocumentWriteOptions().durability(effect.durability);
    if (effect.object == "m") {
      const std::string text = "# text of step " + std::to_string(step_) + "\n";
      auto saved = runner_.run(store_->save_markdown(kCategory, "m", text, options));
      return finish(std::move(effect), saved, text);
    }
    const json::value value{{"step", step_}};
    auto saved = runner_.run(store_->save_json(kCategory, effect.object, value, options));
    return finish(std::move(effect), saved, text_of(value));
  }
  Effect update(Effect effect) {
    const State before = expected().at(effect.object);
    json::value next =
        before == kAbsent ? json::value(json::object()) : parse_json(before, Origin::stored).value();
    next.as_object()["u" + std::to_string(step_)] = step_;
    auto updated = runner_.run(store_->update_json(kCategory, effect.object,
                                                   DocumentEdit::set("u" + std::to_string(step_), step_),
                                                   DocumentUpdateOptions().durability(effect.durability)));
    return finish(std::move(effect), updated, text_of(next));
  }
  Effect remove(Effect effect) {
    auto removed = runner_.run(
        store_->remove(kCategory, effect.object, DocumentWriteOptions().durability(effect.durability)));
    if (removed && *removed != (expected().at(effect.object) != kAbsent)) effect.error = "a wrong answer";
    // Nothing was there: nothing became durable either.
    if (removed && !*removed) effect.outcome = Outcome::failed, effect.code = Errc::not_found;
    return finish(std::move(effect), removed, kAbsent);
  }

  Machine* machine_ = nullptr;
  Runner runner_;
  std::optional<DocumentStore> store_;
  std::map<std::string, State> known_;
  State candidate_;
  int step_ = 0;
};

}  // namespace

std::unique_ptr<Subject> make_document_subject() {
  return std::make_unique<DocumentSubject>();
}

}  // namespace sessile::crash
