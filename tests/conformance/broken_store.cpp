// What the broken store keeps, finds, compares and stamps.
#include "conformance/broken_store.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cctype>

namespace sessile::conformance {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Sends every number of a JSON tree through `change`.
template <class Change>
void each_number(json::value& value, Change change) {
  if (value.is_object()) {
    for (auto& member : value.get_object())
      each_number(member.value(), change);
  } else if (value.is_array()) {
    for (json::value& element : value.get_array())
      each_number(element, change);
  } else if (value.is_number()) {
    change(value);
  }
}

void through_double(json::value& value) {
  if (!value.is_double())
    value = static_cast<std::int64_t>(static_cast<std::int32_t>(value.to_number<double>() / 2) * 2);
}

void without_sign_of_zero(json::value& value) {
  if (value.is_double()) value = value.get_double() + 0.0;
}

Capabilities capabilities_for(const OpenOptions& options, const Defect& defect) {
  Capabilities capabilities;
  capabilities.backend = defect.is("lifecycle.capabilities") ? "" : "broken";
  capabilities.max_durability = Durability::process;
  capabilities.default_durability = Durability::process;
  capabilities.idempotent_append = true;
  capabilities.reach = Reach::machine;
  capabilities.limits = options.limits();
  return capabilities;
}

}  // namespace

std::string key_of(const SessionId& id, const Defect& defect) {
  std::string key = id.str();
  if (defect.is("ids.path_like"))
    key = key.substr(key.rfind('/') == std::string::npos ? 0 : key.rfind('/') + 1);
  if (defect.is("ids.spaces_and_controls")) key.erase(key.find_last_not_of(" \n") + 1);
  if (defect.is("ids.case_variants")) key = lowered(key);
  if (defect.is("ids.normal_forms")) replace_all(key, "e\xCC\x81", "\xC3\xA9");
  if (defect.is("ids.file_suffixes") && key.ends_with(".json")) key.resize(key.size() - 5);
  if (defect.is("ids.percent_signs")) replace_all(key, "%2e", ".");
  if (defect.is("ids.emoji"))
    std::erase_if(key, [](char c) {
      return static_cast<unsigned char>(c) >= 0x90 && static_cast<unsigned char>(c) <= 0x91;
    });
  if (defect.is("ids.long_tails")) key.resize(std::min<std::size_t>(key.size(), 190));
  return key;
}

Session kept(Session session, const Defect& defect) {
  if (defect.is("roundtrip.every_field")) {
    for (TrajectoryStep& step : session.trajectory)
      step.call_id.clear();
  }
  if (defect.is("roundtrip.session_extra")) session.extra.erase("nested");
  if (defect.is("roundtrip.message_extra")) {
    for (Message& message : session.messages)
      message.extra.erase("nested");
  }
  if (defect.is("roundtrip.step_extra")) {
    for (TrajectoryStep& step : session.trajectory)
      step.extra.clear();
  }
  if (defect.is("roundtrip.nested_json")) session.metadata.erase("null");
  if (defect.is("roundtrip.empty_session") && session.messages.empty() && session.metadata.empty()) {
    session.add_message("system", "");
  }
  if (defect.is("roundtrip.empty_agent") && session.agent_id.empty()) session.agent_id = "default";
  if (defect.is("roundtrip.large_session") && session.messages.size() > 1500) session.messages.resize(1500);
  for (auto& member : session.metadata) {
    if (defect.is("roundtrip.integers") && member.key() == "integers")
      each_number(member.value(), through_double);
    if (defect.is("roundtrip.doubles")) each_number(member.value(), without_sign_of_zero);
  }
  for (Message& message : session.messages) {
    if (defect.is("roundtrip.foreign_times") && message.timestamp.is_set())
      message.timestamp = message.timestamp.time();
  }
  if (defect.is("encoding.unicode")) replace_all(session.title, "\xEF\xBB\xBF", "");
  if (defect.is("encoding.separators")) replace_all(session.title, "\xE2\x80\xA8", "\n");
  if (defect.is("encoding.controls")) replace_all(session.title, "\r", "");
  if (defect.is("encoding.nul")) session.title = session.title.c_str();
  return session;
}

BrokenStore::BrokenStore(PlacePtr place, OpenOptions options, Defect defect)
    : SessionStore(options, capabilities_for(options, defect)),
      place_(std::move(place)),
      defect_(std::move(defect)),
      stamper_(options.clock()) {}

asio::awaitable<void> BrokenStore::pause() const {
  co_await asio::post(asio::use_awaitable);
}

asio::awaitable<void> BrokenStore::dally() const {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(is("lifecycle.close_drains") ? std::chrono::microseconds(50'000)
                                                   : std::chrono::microseconds(200));
  co_await timer.async_wait(asio::use_awaitable);
}

Record* BrokenStore::find(const SessionId& id) {
  const auto found = place_->records.find(key_of(id, defect_));
  return found == place_->records.end() ? nullptr : &found->second;
}

Result<void> BrokenStore::compare(const Record* record, const RevisionCheck& revision) const {
  if (record != nullptr && record->corrupt) {
    if (revision.is_absent() && is("corruption.create_refused")) return success();
    return Error(Errc::corrupt, "damaged").with_path("/broken");
  }
  if (revision.is_any()) return success();
  const std::optional<Revision> stored = record ? std::optional(record->session->revision) : std::nullopt;
  if (revision.is_absent() && is("create.if_absent")) return success();
  if (const auto asked = revision.revision()) {
    if (!stored && is("revisions.number_on_missing")) return success();
    if (stored && is("revisions.if_number") && (*asked < *stored || *asked > *stored + 500)) return success();
    if (stored && is("revisions.unchanged_since") && *asked + 1 == *stored) return success();
  }
  if (revision.revision() == stored) return success();
  if (is("revisions.conflict_tells")) return Error(Errc::conflict);
  Error error(Errc::conflict);
  if (is("lifecycle.errors_say_where")) error.with_operation("something");
  return error.with_revisions(revision.revision(), stored);
}

Result<void> BrokenStore::check(const SessionId& id, const RevisionCheck& revision) {
  const std::lock_guard lock(place_->mutex);
  return compare(find(id), revision);
}

Written BrokenStore::stamp(const Record* record, const Session& next, Times times) const {
  std::optional<StoredState> state;
  if (record)
    state = StoredState(record->session->revision, record->session->created_at, record->session->updated_at);
  if (is("times.preserve")) times = Times::stamp;
  Written written = stamper_.next(state, next, times);
  const TimePoint now = stamper_.now();
  if (!record) {
    if (is("revisions.first_is_creation_time")) ++written.revision;
    if (is("revisions.recreated")) written.revision = static_cast<Revision>(now.time_since_epoch().count());
    return written;
  }
  if (times == Times::preserve) return written;
  const TimePoint before = record->session->updated_at.time();
  if (is("times.still_clock")) written.updated_at = std::max(now, before);
  if (is("times.backward_clock") && now < before) written.updated_at = now;
  if (is("times.created_stays") && next.created_at.is_set()) written.created_at = next.created_at;
  return written;
}

void BrokenStore::note_agent(Record& record, const AgentId& next) const {
  if (is("agents.moves") && record.session && record.session->agent_id != next) {
    record.former_agents.insert(record.session->agent_id.str());
  }
}

Written BrokenStore::store(Record& record, Session next, Times times) {
  const Written written = stamp(record.session ? &record : nullptr, next, times);
  note_agent(record, next.agent_id);
  Session final = stamped(kept(std::move(next), defect_), written);
  final.stored_bytes = measure(final, Limits()).value();
  record.session = std::make_shared<const Session>(std::move(final));
  record.corrupt = false;
  return written;
}

Async<void> BrokenStore::do_flush() {
  if (is("lifecycle.flush")) co_return Error(Errc::unsupported, "there is nothing to flush");
  co_return success();
}

}  // namespace sessile::conformance
