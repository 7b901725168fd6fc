#include "linearizability/checker.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_set>

namespace sessile::linearizability {
namespace {

class Search {
 public:
  Search(const History& history, std::size_t most_states)
      : history_(history), most_states_(most_states), done_(history.size(), '0') {}

  Verdict run() {
    const bool found = extend(State());
    verdict_.linearizable = found && !verdict_.gave_up;
    verdict_.states = dead_.size();
    return std::move(verdict_);
  }

 private:
  /// An operation may come next when no other one that is left returned before it was called.
  std::int64_t first_return() const {
    std::int64_t first = kNever;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (done_[i] == '0') first = std::min(first, history_[i].returned);
    }
    return first;
  }

  bool complete() const {
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (done_[i] == '0' && history_[i].outcome != Outcome::unknown) return false;
    }
    return true;
  }

  bool extend(const State& state) {
    if (order_.size() >= verdict_.longest.size()) {
      verdict_.longest = order_;
      verdict_.state = state;
    }
    if (complete()) return true;
    if (dead_.size() >= most_states_) {
      verdict_.gave_up = true;
      return true;
    }
    if (!dead_.insert(done_ + state.text()).second) return false;
    const std::int64_t limit = first_return();
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (done_[i] != '0' || history_[i].invoked > limit) continue;
      auto next = apply(state, history_[i]);
      if (!next) continue;
      done_[i] = '1';
      order_.push_back(i);
      if (extend(*next)) return true;
      order_.pop_back();
      done_[i] = '0';
    }
    return false;
  }

  const History& history_;
  const std::size_t most_states_;
  std::string done_;  // a digit an operation
  std::vector<std::size_t> order_;
  std::unordered_set<std::string> dead_;  // visited: led nowhere, or are on the way now
  Verdict verdict_;
};

/// The history as it stood at `time`.
History until(const History& history, std::int64_t time) {
  History cut;
  for (Operation operation : history) {
    if (operation.invoked > time) continue;
    if (operation.returned > time) {
      operation.returned = kNever;
      operation.outcome = Outcome::unknown;
    }
    cut.push_back(std::move(operation));
  }
  return cut;
}

bool fails(const History& history) {
  return !check(history).linearizable;
}

bool changes_nothing(const Operation& operation) {
  return operation.kind == Kind::load || operation.outcome == Outcome::not_found ||
         operation.outcome == Outcome::conflict || operation.outcome == Outcome::nothing ||
         operation.replayed;
}

void print(std::ostringstream& out, const Operation& operation, std::int64_t start) {
  const auto micros = [start](std::int64_t time) { return (time - start) / 1000; };
  out << "  process " << operation.process << " client " << operation.client << "  ["
      << micros(operation.invoked) << " .. ";
  if (operation.returned == kNever) {
    out << "?";
  } else {
    out << micros(operation.returned);
  }
  out << " us]  " << operation.text() << "\n";
}

std::string explain(const History& history) {
  const Verdict verdict = check(history);
  std::ostringstream out;
  if (verdict.gave_up) out << "not decided after " << verdict.states << " states\n";
  const std::int64_t start = history.empty() ? 0 : history.front().invoked;
  out << "no order explains these operations on session " << history.front().session << ":\n";
  for (const Operation& operation : history)
    print(out, operation, start);
  out << "the longest order that explains its answers:\n";
  for (const std::size_t index : verdict.longest)
    out << "  " << history[index].text() << "\n";
  out << "leaves the session as: " << verdict.state.text() << "\nand nothing that is left fits there:\n";
  for (std::size_t i = 0; i < history.size(); ++i) {
    const bool ordered =
        std::find(verdict.longest.begin(), verdict.longest.end(), i) != verdict.longest.end();
    if (!ordered && history[i].outcome != Outcome::unknown) out << "  " << history[i].text() << "\n";
  }
  return out.str();
}

}  // namespace

Verdict check(const History& history, std::size_t most_states) {
  return Search(history, most_states).run();
}

History shrink(const History& history) {
  std::vector<std::int64_t> returns;
  for (const Operation& operation : history)
    if (operation.returned != kNever) returns.push_back(operation.returned);
  std::sort(returns.begin(), returns.end());
  // Every beginning of a linearizable history is one: the first cut that is not shows the fault.
  History shrunk = history;
  const auto first = std::partition_point(returns.begin(), returns.end(),
                                          [&](std::int64_t time) { return !fails(until(history, time)); });
  if (first != returns.end()) shrunk = until(history, *first);
  // What changed nothing may be left out of a linearizable history, so a fault that stays is a real one.
  for (std::size_t i = shrunk.size(); i-- > 0;) {
    if (!changes_nothing(shrunk[i]) && shrunk[i].kind != Kind::load) continue;
    History without = shrunk;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    if (fails(without)) shrunk = std::move(without);
  }
  std::sort(shrunk.begin(), shrunk.end(),
            [](const Operation& a, const Operation& b) { return a.invoked < b.invoked; });
  return shrunk;
}

std::string fault_of(const History& history) {
  std::map<int, History> sessions;
  for (const Operation& operation : history)
    sessions[operation.session].push_back(operation);
  for (auto& [session, part] : sessions) {
    std::sort(part.begin(), part.end(),
              [](const Operation& a, const Operation& b) { return a.invoked < b.invoked; });
    if (fails(part)) return explain(shrink(part));
  }
  return {};
}

}  // namespace sessile::linearizability
