#include "history.hpp"

namespace sessile::crash {

Acceptable History::acceptable(const std::string& object, std::size_t cut, CrashKind kind,
                               bool interrupted) const {
  Acceptable may;
  // What was acknowledged last, whatever it promised, and what may have happened since: what flush makes
  // durable.
  std::set<State> latest{initial.at(object)};
  may.states = latest;
  for (const Step& step : steps) {
    const Effect& effect = step.effect;
    const bool answered = step.end + (interrupted ? 1 : 0) <= cut;
    if (!answered && step.begin >= cut) break;
    if (!effect.object.empty() && effect.object != object) continue;
    const bool weak = kind == CrashKind::power && effect.durability != Durability::power;
    if (effect.outcome == Outcome::failed) {
      // It may have made a file that is as weak as what it was asked for.
      may.damage = may.damage || (weak && effect.code != Errc::not_found);
      continue;
    }
    if (answered && effect.outcome == Outcome::done && !weak) {
      if (!effect.object.empty()) latest = {effect.state};
      may.states = latest;
      may.damage = false;
      may.highest_id = std::max(may.highest_id, effect.id);
      continue;
    }
    if (effect.object.empty()) continue;
    may.states.insert(effect.state);
    if (!effect.halfway.empty()) may.states.insert(effect.halfway);
    may.damage = may.damage || weak;
    if (effect.outcome == Outcome::done) latest.clear();
    latest.insert(effect.state);
  }
  return may;
}

std::string History::describe(std::size_t cut) const {
  std::string text;
  std::size_t next = 0;
  for (std::size_t i = 0; i <= trace.size(); ++i) {
    for (; next < steps.size() && steps[next].begin <= i; ++next) {
      const Step& step = steps[next];
      text += "    -- " + step.operation + " (answered after change " + std::to_string(step.end) + ": ";
      const char* const outcomes[] = {"done", "failed", "indeterminate"};
      text += outcomes[static_cast<int>(step.effect.outcome)];
      text += step.effect.error.empty() ? ")\n" : ", " + step.effect.error + ")\n";
    }
    if (i == cut) text += "    ==== cut ====\n";
    if (i < trace.size()) text += "    " + std::to_string(i + 1) + ". " + trace[i].describe() + "\n";
  }
  return text;
}

}  // namespace sessile::crash
