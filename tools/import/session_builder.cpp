#include "import/session_builder.hpp"

#include <sessile/json.hpp>

#include <algorithm>
#include <map>

namespace sessile::importing {
namespace {

// A record's own time, with the text it was written as.
Timestamp time_of(const json::value& record) {
  const json::value* value = value_at(record, "timestamp");
  if (value == nullptr) return Timestamp();
  std::optional<TimePoint> time;
  if (value->is_string()) time = parse_time(value->get_string());
  if (value->is_number()) time = time_from_epoch(value->to_number<double>());
  if (!time) return Timestamp();
  std::string original;
  write_json(original, *value);
  if (original == '"' + format_time(*time) + '"') return Timestamp(*time);
  return Timestamp(*time, std::move(original));
}

}  // namespace

json::object SessionBuilder::source_of(Record& record) {
  const Timestamp time = time_of(record.value);
  if (time.is_set()) {
    first_ = std::min(first_.value_or(time.time()), time.time());
    last_ = std::max(last_.value_or(time.time()), time.time());
  }
  json::object source;
  source["line"] = record.line;
  source["index"] = record.index;
  source["record"] = std::move(record.value);
  return source;
}

void SessionBuilder::add(std::string role, Record record, const std::string& pointer, bool as_block) {
  Message message;
  message.role = std::move(role);
  message.timestamp = time_of(record.value);
  json::object source = source_of(record);
  boost::system::error_code absent;
  if (json::value* content = source["record"].find_pointer(pointer, absent)) {
    json::value moved = std::exchange(*content, nullptr);
    message.content = as_block ? json::value(json::array{std::move(moved)}) : std::move(moved);
    source["moved"] = json::object{{pointer, as_block ? "/content/0" : "/content"}};
  }
  message.extra["source"] = std::move(source);
  session_.messages.push_back(std::move(message));
}

void SessionBuilder::add_message(std::string role, Record record, const std::string& pointer) {
  add(std::move(role), std::move(record), pointer, false);
}

void SessionBuilder::add_block_message(std::string role, Record record, const std::string& pointer) {
  add(std::move(role), std::move(record), pointer, true);
}

void SessionBuilder::keep(Record record) {
  others_.emplace_back(source_of(record));
}

void SessionBuilder::set_title(std::string_view title) {
  if (!title.empty()) session_.title = title;
}

void SessionBuilder::note(std::string_view key, std::string_view text) {
  if (!text.empty() && !session_.metadata.contains(key)) session_.metadata[key] = text;
}

void SessionBuilder::note_last(std::string_view key, std::string_view text) {
  if (!text.empty()) session_.metadata[key] = text;
}

Session SessionBuilder::finish(SessionId id, TimePoint fallback) {
  session_.id = std::move(id);
  session_.created_at = first_.value_or(fallback);
  session_.updated_at = last_.value_or(fallback);
  if (!others_.empty()) session_.extra["source"] = json::object{{"records", std::move(others_)}};
  return std::move(session_);
}

namespace {

// Puts what became the message's content back into its record.
json::value rebuilt(const json::object& source, const Message& message) {
  json::value record = source.at("record");
  const json::value* moved = source.if_contains("moved");
  if (moved == nullptr || !moved->is_object()) return record;
  for (const auto& [from, to] : moved->get_object()) {
    const bool as_block = to.is_string() && to.get_string() == "/content/0";
    const json::value* content = &message.content;
    if (as_block) {
      content = message.content.is_array() ? message.content.get_array().if_contains(0) : nullptr;
    }
    boost::system::error_code absent;
    json::value* place = record.find_pointer(from, absent);
    if (content != nullptr && place != nullptr) *place = *content;
  }
  return record;
}

bool is_source(const json::value* source) {
  const json::value* index = source == nullptr ? nullptr : value_at(*source, "index");
  return index != nullptr && (index->is_int64() || index->is_uint64()) &&
         value_at(*source, "record") != nullptr;
}

std::uint64_t index_of(const json::object& source) {
  boost::system::error_code negative;
  return source.at("index").to_number<std::uint64_t>(negative);
}

}  // namespace

std::vector<json::value> original_records(const Session& session) {
  std::multimap<std::uint64_t, json::value> ordered;
  for (const Message& message : session.messages) {
    const json::value* source = message.extra.if_contains("source");
    if (!is_source(source)) continue;
    ordered.emplace(index_of(source->get_object()), rebuilt(source->get_object(), message));
  }
  const json::value* source = session.extra.if_contains("source");
  const json::value* others = source == nullptr ? nullptr : value_at(*source, "records");
  if (others != nullptr && others->is_array()) {
    for (const json::value& other : others->get_array()) {
      if (!is_source(&other)) continue;
      ordered.emplace(index_of(other.get_object()), other.get_object().at("record"));
    }
  }
  std::vector<json::value> records;
  records.reserve(ordered.size());
  for (auto& [index, record] : ordered)
    records.push_back(std::move(record));
  return records;
}

}  // namespace sessile::importing
