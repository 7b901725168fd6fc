// Random operations one after another on each backend, against the model of a session.
#include "fuzz/targets.hpp"
#include "linearizability/model.hpp"
#include "linearizability/recorder.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <sessile/blocking.hpp>

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

class Run {
 public:
  explicit Run(std::string url) : url_(std::move(url)), store_(open_store(url_).value()) {}

  void step(Input& input) {
    const unsigned kind = input.below(9);
    if (kind == 7) return reopen();
    if (kind == 8) return check_listing();
    Operation operation;
    operation.session = static_cast<int>(input.below(kSessions));
    operation.tag = ++tag_;
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
    const bool large = operation.session == 1;
    asio::io_context context(1);
    std::exception_ptr thrown;
    asio::co_spawn(
        context,
        linearizability::perform(store_, SessionId(kIds[static_cast<std::size_t>(operation.session)]),
                                 operation, large, std::chrono::milliseconds(0)),
        [&](std::exception_ptr failure) { thrown = failure; });
    context.run();
    if (thrown) std::rethrow_exception(thrown);
    const auto next = apply(state, operation);
    require(next.has_value(), url_ + ": " + operation.text() + " in the state " + state.text());
    state = *next;
  }

  void check_listing() {
    std::set<std::string> listed;
    ListQuery query;
    query.limit(1);
    do {
      const auto page = blocking::list(*store_, query);
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

 private:
  void reopen() {
    if (url_ == "memory:") return;
    blocking::close(*store_).value();
    store_ = open_store(url_).value();
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
  }
  std::filesystem::remove_all(place);
}

}  // namespace sessile::fuzz
