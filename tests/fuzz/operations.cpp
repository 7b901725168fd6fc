// Random operations one after another on each backend, against the model of a session.
#include "crash/subject.hpp"
#include "fuzz/targets.hpp"
#include "linearizability/model.hpp"
#include "linearizability/recorder.hpp"

#include <sessile/store.hpp>

#include <array>
#include <filesystem>
#include <set>

namespace sessile::fuzz {
namespace {

using linearizability::Expect;
using linearizability::Kind;
using linearizability::Operation;
using linearizability::Outcome;
using linearizability::State;
using StorePtr = std::shared_ptr<SessionStore>;

constexpr int kSessions = 3;
/// Short, long, hidden, with a slash, and not what it seems on a file system that folds case.
const std::array<std::string, kSessions> kIds = {"../\n.a", "A", std::string(200, 'x')};

/// All on this thread, and in one loop for all inputs: else threads are woken and waited for, loops are made,
/// and what an input allocates is not freed by its end, so that a fuzzer looks through all memory for leaks.
crash::Runner& runner() {
  static crash::Runner the_runner;
  return the_runner;
}

/// `operation` with what became of it.
Async<Operation> performed(StorePtr store, Operation operation) {
  const SessionId id(kIds[static_cast<std::size_t>(operation.session)]);
  const bool large = operation.session == 1;
  co_await linearizability::perform(std::move(store), id, operation, large, std::chrono::milliseconds(0));
  co_return operation;
}

class Run {
 public:
  explicit Run(std::string url) : url_(std::move(url)), store_(open()) {}
  ~Run() {
    store_.reset();
    runner().finish();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void step(Input& input) {
    const unsigned kind = input.below(9);
    if (kind == 7) return reopen();
    if (kind == 8) return check_listing();
    Operation operation;
    operation.session = static_cast<int>(input.below(kSessions));
    // Of every fourth an update takes its time, for the others that there are elsewhere.
    if (++tag_ % 4 == 0) ++tag_;
    operation.tag = tag_;
    constexpr Kind kKinds[] = {Kind::save,   Kind::load,   Kind::append, Kind::update,
                               Kind::remove, Kind::append, Kind::save};
    operation.kind = kKinds[kind];
    const unsigned check = operation.kind == Kind::load ? 0 : input.below(4);
    State& state = states_[static_cast<std::size_t>(operation.session)];
    if (check == 2) operation.expect = Expect::absent;
    if (check == 3) {
      operation.expect = Expect::exactly;
      operation.expected = state.revision + input.below(2);
    }
    if (operation.kind == Kind::append && input.below(2) == 1) {
      operation.key = static_cast<int>(1 + input.below(4));
      operation.tag = 100'000 + operation.key;
    }
    operation = runner().run(performed(store_, operation)).value();
    const auto next = apply(state, operation);
    require(next.has_value(), url_ + ": " + operation.text() + " in the state " + state.text());
    state = *next;
  }

  void check_listing() {
    std::set<std::string> listed;
    ListQuery query;
    query.limit(1);
    do {
      const auto page = runner().run(store_->list(query));
      require(page.has_value() && page->unreadable.empty(), url_ + ": everything can be listed");
      for (const SessionSummary& summary : page->items)
        require(listed.insert(summary.id.str()).second, url_ + ": what is listed is listed once");
      query.cursor(page->next);
    } while (!query.cursor().empty());
    for (std::size_t i = 0; i < kSessions; ++i) {
      require(listed.contains(kIds[i]) == states_[i].present,
              url_ + ": what is there is listed, and no more");
    }
  }

  /// What is gone a process does not remember either: no input leaves memory taken.
  void remove_all() {
    for (std::size_t i = 0; i < kSessions; ++i) {
      if (states_[i].present) runner().run(store_->remove(SessionId(kIds[i]))).value();
    }
  }

  void check_sound() {
    const auto report = runner().run(store_->verify());
    require(report.has_value(), url_ + ": everything can be checked");
    for (const Finding& finding : report->findings) {
      // What promises less than power may leave an index entry, which readers overlook.
      require(finding.kind == FindingKind::stale_entry,
              url_ + ": verify finds " + finding.path + " " + std::string(name(finding.kind)));
    }
  }

 private:
  StorePtr open() const { return open_store(url_, OpenOptions().executor(runner().executor())).value(); }
  void reopen() {
    if (url_ == "memory:") return;
    runner().run(store_->close()).value();
    store_ = open();
  }

  const std::string url_;
  StorePtr store_;
  std::array<State, kSessions> states_;
  int tag_ = 0;
};

}  // namespace

void operations(std::string_view bytes) {
  const std::string place = scratch_folder() + "/stores";
  for (const std::string& url : {std::string("memory:"), "file:" + place + "/files?durability=process",
                                 "jsondir:" + place + "/logs?durability=process"}) {
    Run run(url);
    for (Input input(bytes.substr(0, 400)); !input.empty();)
      run.step(input);
    run.check_listing();
    run.check_sound();
    run.remove_all();
    run.check_sound();
  }
  std::filesystem::remove_all(place);
}

}  // namespace sessile::fuzz
