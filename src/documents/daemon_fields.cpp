#include "documents/daemon_work.hpp"

#include <algorithm>
#include <array>

namespace sessile {
namespace {

constexpr std::array<std::string_view, 4> kStates = {"WAKE", "TRANSITIONING", "SLEEP", "DREAMING"};

std::optional<TimePoint> time_of_string(const json::value& value) {
  const json::string* const text = value.if_string();
  return text == nullptr ? std::nullopt : parse_time({text->data(), text->size()});
}

std::optional<TimePoint> time_at(const json::object& document, std::string_view field) {
  const json::value* const value = document.if_contains(field);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return time_from_epoch(value->to_number<double>());
  return time_of_string(*value);
}

}  // namespace

std::string_view name(FsmState state) noexcept {
  return kStates.at(static_cast<std::size_t>(state));
}

std::optional<FsmState> fsm_state_of(std::string_view text) noexcept {
  const auto found = std::find(kStates.begin(), kStates.end(), text);
  if (found == kStates.end()) return std::nullopt;
  return static_cast<FsmState>(found - kStates.begin());
}

std::optional<FsmState> DaemonFields::fsm_state() const {
  const json::value* const value = document_.if_contains("fsm_state");
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return fsm_state_of({value->get_string().data(), value->get_string().size()});
}
std::optional<TimePoint> DaemonFields::daemon_started_at() const {
  return time_at(document_, "daemon_started_at");
}
std::optional<TimePoint> DaemonFields::last_digest_shown_at() const {
  return time_at(document_, "last_digest_shown_at");
}
std::optional<TimePoint> DaemonFields::last_learned_at() const {
  return time_at(document_, "last_learned_at");
}
std::optional<TimePoint> DaemonFields::last_session_ts() const {
  return time_at(document_, "last_session_ts");
}
std::optional<json::value> DaemonFields::pending_digest() const {
  const json::value* const value = document_.if_contains("pending_digest");
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_string() && value->get_string().empty()) return std::nullopt;
  return *value;
}
std::map<std::string, TimePoint> DaemonFields::first_turn_pending() const {
  std::map<std::string, TimePoint> pending;
  const json::value* const value = document_.if_contains(detail::kFirstTurnPending);
  if (value == nullptr || !value->is_object()) return pending;
  for (const auto& entry : value->get_object()) {
    if (const auto time = time_of_string(entry.value())) pending.emplace(entry.key(), *time);
  }
  return pending;
}

DaemonFields& DaemonFields::fsm_state(FsmState value) {
  return document_["fsm_state"] = name(value), *this;
}
DaemonFields& DaemonFields::daemon_started_at(TimePoint value) {
  return document_["daemon_started_at"] = format_time(value), *this;
}
DaemonFields& DaemonFields::last_digest_shown_at(TimePoint value) {
  return document_["last_digest_shown_at"] = format_time(value), *this;
}
DaemonFields& DaemonFields::last_learned_at(TimePoint value) {
  return document_["last_learned_at"] = format_time(value), *this;
}
DaemonFields& DaemonFields::last_session_ts(TimePoint value) {
  return document_["last_session_ts"] = format_time(value), *this;
}
DaemonFields& DaemonFields::pending_digest(json::value value) {
  return document_["pending_digest"] = std::move(value), *this;
}

FirstTurnPrune prune_first_turn_pending(DaemonFields state, TimePoint now, std::chrono::microseconds ttl) {
  FirstTurnPrune result;
  result.dropped = detail::drop_stale(state.document(), now, ttl);
  result.state = std::move(state);
  return result;
}

namespace detail {

json::object* pending_entries(json::object& document) noexcept {
  json::value* const value = document.if_contains(kFirstTurnPending);
  return value == nullptr ? nullptr : value->if_object();
}

std::vector<std::string> drop_stale(json::object& document, TimePoint now, std::chrono::microseconds ttl) {
  std::vector<std::string> dropped;
  json::object* const entries = pending_entries(document);
  if (entries == nullptr) return dropped;
  for (const auto& entry : *entries) {
    const auto time = time_of_string(entry.value());
    if (!time || now - *time >= ttl) dropped.emplace_back(entry.key());
  }
  for (const std::string& id : dropped)
    entries->stable_erase(id);
  return dropped;
}

std::size_t drop_oldest(json::object& document, std::size_t kept) {
  json::object* const entries = pending_entries(document);
  if (entries == nullptr || entries->size() <= kept) return 0;
  std::vector<std::pair<TimePoint, std::string>> newest;
  for (const auto& entry : *entries)
    newest.emplace_back(time_of_string(entry.value()).value_or(TimePoint::min()), entry.key());
  std::sort(newest.begin(), newest.end(), std::greater<>());
  for (std::size_t i = kept; i < newest.size(); ++i)
    entries->stable_erase(newest[i].second);
  return newest.size() - kept;
}

}  // namespace detail
}  // namespace sessile
