#include "explorer.hpp"

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <sstream>

namespace sessile::crash {

namespace {

constexpr std::size_t kMostRemembered = 200'000;
constexpr std::uint64_t kMostReported = 3;
/// One state in so many is crashed a second time.
constexpr std::uint64_t kAgainEvery = 8;

bool can_change(const std::string& kind) {
  static const std::set<std::string> reading{"open", "open_directory", "info", "file_info",
                                             "read", "list",           "close"};
  return !reading.contains(kind);
}

int error_of(const std::string& kind) {
  return kind == "sync" || kind == "sync_directory" || kind == "remove" ? EIO : ENOSPC;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);)
    parts.push_back(part);
  return parts;
}

Subject& find(const std::vector<std::unique_ptr<Subject>>& subjects, const std::string& name) {
  for (const auto& subject : subjects) {
    if (subject->name() == name) return *subject;
  }
  throw std::invalid_argument("no subject " + name);
}

}  // namespace

std::string Plan::text() const {
  std::string joined;
  for (const std::string& operation : operations)
    joined += (joined.empty() ? "" : ",") + operation;
  return subject + "/" + start + "/" + joined + "/" + std::to_string(fault);
}

std::string StateId::text() const {
  return plan.text() + "/" + std::to_string(cut) + "/" + (kind == CrashKind::power ? "power" : "process") +
         "/" + std::to_string(index);
}

std::optional<StateId> StateId::parse(const std::string& text) {
  const auto parts = split(text, '/');
  if (parts.size() != 7) return std::nullopt;
  StateId id;
  id.plan.subject = parts[0];
  id.plan.start = parts[1];
  id.plan.operations = split(parts[2], ',');
  id.plan.fault = std::stoi(parts[3]);
  id.cut = std::stoull(parts[4]);
  id.kind = parts[5] == "power" ? CrashKind::power : CrashKind::process;
  id.index = std::stoull(parts[6]);
  return id;
}

Explorer::Explorer(Sampling sampling)
    : sampling_(sampling), subjects_(make_subjects()), observers_(make_subjects()) {}

Subject& Explorer::subject(const std::string& name) const {
  return find(subjects_, name);
}

std::size_t Explorer::explore(const Plan& plan) {
  reported_ = 0;
  ++counts_.histories;
  const History history = record(plan);
  cut(plan, history);
  return history.calls;
}

bool Explorer::replay(const StateId& id) {
  only_ = id;
  explore(id.plan);
  only_.reset();
  return counts_.failures == 0;
}

History Explorer::record(const Plan& plan) {
  Subject& store = subject(plan.subject);
  History history;
  store.forget();
  {
    Machine machine{Disk()};
    store.open(machine);
    const auto setup = store.starts().at(plan.start);
    for (const std::string& operation : setup) {
      if (store.run(operation).outcome != Outcome::done)
        throw std::logic_error("cannot set up " + plan.text());
    }
    store.close();
    history.start = machine.disk().image_of_current();
  }
  history.initial = store.expected();
  Machine machine(history.start);
  std::size_t calls = 0;
  machine.before = [&](const SeamCall& call) {
    if (!can_change(call.kind)) return 0;
    return static_cast<int>(calls++) == plan.fault ? error_of(call.kind) : 0;
  };
  store.open(machine);
  const std::uint64_t compactions = store.compactions();
  for (const std::string& operation : plan.operations) {
    History::Step step;
    step.operation = operation;
    step.begin = machine.trace().size();
    const auto before = store.expected();
    step.effect = store.run(operation);
    step.end = machine.trace().size();
    if (step.effect.outcome == Outcome::indeterminate) {
      const Observation now = store.observe();
      step.settled = now.objects.at(step.effect.object);
      const bool known = store.adopt(step.effect.object, step.settled);
      if (step.settled != before.at(step.effect.object)) step.effect.state = step.settled;
      if (!known) {
        StateId id;
        id.plan = plan;
        history.steps.push_back(step);
        report(id, history, CrashState{machine.disk(), "no crash", false},
               "an indeterminate write left: " + step.settled);
      }
    }
    if (plan.fault < 0 && step.effect.outcome != Outcome::done && step.effect.code != Errc::not_found) {
      StateId id;
      id.plan = plan;
      report(id, history, CrashState{machine.disk(), "no crash", false},
             operation + " failed: " + step.effect.error);
    }
    history.steps.push_back(std::move(step));
  }
  counts_.compactions += store.compactions() - compactions;
  store.close();
  machine.before = nullptr;
  history.trace = machine.take_trace();
  history.calls = calls;
  return history;
}

void Explorer::cut(const Plan& plan, const History& history) {
  Disk before = history.start;
  for (std::size_t at = 0; at <= history.trace.size(); ++at) {
    Disk now = before;
    if (at > 0) now.apply(history.trace[at - 1]);
    for (const CrashKind kind : {CrashKind::power, CrashKind::process}) {
      if (kind == CrashKind::process && at == 0) continue;
      StateId id;
      id.plan = plan;
      id.cut = at;
      id.kind = kind;
      if (only_ && (only_->cut != at || only_->kind != kind)) continue;
      ++counts_.cuts;
      seen_.clear();
      Sampling sampling = sampling_;
      sampling.seed = seed_of(id);
      const auto visit = [&](CrashState state) {
        if (!only_ || only_->index == id.index) look(id, history, state);
        ++id.index;
        return true;
      };
      if (kind == CrashKind::power) {
        if (!power_loss_states(now, sampling, visit)) ++counts_.sampled;
      } else {
        process_death_states(before, history.trace[at - 1], sampling, visit);
      }
    }
    before = std::move(now);
  }
}

std::uint64_t Explorer::seed_of(const StateId& id) const {
  StateId cut_only = id;
  cut_only.index = 0;
  return std::hash<std::string>()(cut_only.text()) ^ (sampling_.seed * 0x9e3779b97f4a7c15ULL);
}

void Explorer::look(const StateId& id, const History& history, const CrashState& state) {
  const std::size_t fingerprint = state.disk.fingerprint();
  if (!seen_.insert(fingerprint).second) return;
  ++counts_.states;
  const Observation& seen = observed(id, state.disk, fingerprint);
  std::string problem = judge(id, history, seen, state.interrupted);
  if (problem.empty() && can_crash_again(id, history) &&
      (only_ || (fingerprint ^ seed_of(id)) % kAgainEvery == 0)) {
    problem = crash_again(id, history, state);
  }
  if (!problem.empty()) report(id, history, state, problem);
  if (only_) {
    std::cerr << "state " << id.text() << ": " << state.choice << "\n" << history.describe(id.cut);
    std::cerr << "  the disk:\n" << state.disk.describe();
  }
}

const Observation& Explorer::observed(const StateId& id, const Disk& disk, std::size_t fingerprint) {
  const std::size_t key = fingerprint ^ std::hash<std::string>()(id.plan.subject);
  const auto known = memory_.find(key);
  if (known != memory_.end()) return known->second;
  if (memory_.size() >= kMostRemembered) memory_.clear();
  ++counts_.images;
  Machine machine(disk);
  Subject& observer = find(observers_, id.plan.subject);
  observer.open(machine);
  Observation seen = observer.observe();
  const bool is_damaged = !seen.unlisted.empty() ||
                          std::any_of(seen.objects.begin(), seen.objects.end(),
                                      [](const auto& object) { return object.second.starts_with(kCorrupt); });
  if (seen.problem.empty() && !is_damaged) seen.damage = observer.verify();
  if (seen.problem.empty()) observer.write_again(seen);
  observer.close();
  if (seen.problem.empty() && machine.open_files() + machine.open_directories() + machine.held_locks() != 0) {
    seen.problem = "something was left open";
  }
  return memory_[key] = std::move(seen);
}

/// A process that dies when its sync has failed, before it could note that, leaves what nobody can know: the
/// next one sees good data, whose sync will say that all is well.
bool Explorer::can_crash_again(const StateId& id, const History& history) const {
  if (id.plan.fault < 0 || id.kind == CrashKind::power) return true;
  return std::none_of(history.steps.begin(), history.steps.end(),
                      [&id](const History::Step& step) { return step.begin < id.cut && id.cut < step.end; });
}

std::string Explorer::judge(const StateId& id, const History& history, const Observation& seen,
                            bool interrupted) const {
  if (!seen.problem.empty()) return seen.problem;
  const Subject& store = subject(id.plan.subject);
  // A log may be damaged before the snapshot that its readers begin with.
  bool may_be_damaged = false;
  for (const auto& [object, state] : seen.objects) {
    const Acceptable may = history.acceptable(object, id.cut, id.kind, interrupted);
    may_be_damaged = may_be_damaged || may.damage;
    bool good = may.damage && store.is_damage(state);
    std::string expected;
    for (const State& one : may.states) {
      good = good || matches(one, state);
      expected += " [" + one + "]";
    }
    if (!good) return object + " is [" + state + "], not one of" + expected;
    if (seen.unlisted.contains(object) && !may.damage) return object + " is not listed under its agent";
    if (seen.next_id != 0 && !may.damage && seen.next_id <= may.highest_id) {
      return "the id " + std::to_string(seen.next_id) + " was given out again";
    }
  }
  return may_be_damaged ? std::string() : seen.damage;
}

std::string Explorer::crash_again(const StateId& id, const History& history, const CrashState& state) {
  ++counts_.again;
  Subject& observer = find(observers_, id.plan.subject);
  Machine machine(state.disk);
  observer.open(machine);
  Observation before = observer.observe();
  observer.write_again(before);
  const std::size_t answered = machine.trace().size();
  observer.open(machine);
  const Observation after = observer.observe();
  observer.close();
  std::mt19937_64 random(seed_of(id) + id.index);
  const std::vector<Change> trace = machine.take_trace();
  // Half of them when the write was just acknowledged: that is what may not be lost.
  const std::size_t at = random() % 2 == 0 ? answered : random() % (answered + 1);
  Disk disk = state.disk;
  for (std::size_t i = 0; i < at; ++i)
    disk.apply(trace[i]);
  Sampling sampling;
  sampling.seed = random();
  sampling.states = 4;
  sampling.tears = 4;
  std::string problem;
  power_loss_states(disk, sampling, [&](CrashState twice) {
    const Observation found = observed(id, twice.disk, twice.disk.fingerprint());
    problem = judge_again(id, history, after, found, before.written, at == answered, state.interrupted);
    if (problem.empty()) return true;
    problem += " (after a second crash: change " + std::to_string(at) + " of the next write; " +
               twice.choice + ")\n";
    if (only_) {
      for (const Change& change : trace)
        problem += "    again: " + change.describe() + "\n";
      problem += twice.disk.describe();
    }
    return false;
  });
  return problem;
}

std::string Explorer::judge_again(const StateId& id, const History& history, const Observation& after,
                                  const Observation& found, const std::string& written, bool acknowledged,
                                  bool interrupted) const {
  if (!found.problem.empty()) return found.problem;
  const Subject& store = subject(id.plan.subject);
  const bool strict = acknowledged && store.writes_again_durably();
  bool may_be_damaged = false;
  for (const auto& [object, state] : found.objects) {
    // What process died with it pending may be lost now.
    const Acceptable may = history.acceptable(object, id.cut, CrashKind::power, interrupted);
    may_be_damaged = may_be_damaged || may.damage;
    const State& wanted = after.objects.at(object);
    if (state == wanted) continue;
    if (object == written && strict) return object + " is [" + state + "], not [" + wanted + "]";
    bool good = may.damage && store.is_damage(state);
    good = good || (object == written && !store.writes_again_durably());
    for (const State& one : may.states)
      good = good || matches(one, state);
    if (!good) return object + " is [" + state + "], neither old nor [" + wanted + "]";
  }
  if (strict && found.unlisted.contains(written)) return written + " is not listed under its agent";
  return may_be_damaged ? std::string() : found.damage;
}

void Explorer::report(const StateId& id, const History& history, const CrashState& state,
                      const std::string& problem) {
  ++counts_.failures;
  if (++reported_ > kMostReported) return;
  std::cerr << "WRONG " << id.text() << "\n  " << problem << "\n  what was pending: " << state.choice << "\n";
  if (reported_ == 1) std::cerr << history.describe(id.cut);
}

}  // namespace sessile::crash
