#include "logs/memory_record.hpp"

#include <sessile/json.hpp>

#include <algorithm>

namespace sessile {

std::string_view name(MemoryKind kind) noexcept {
  switch (kind) {
    case MemoryKind::fact:
      return "fact";
    case MemoryKind::pref:
      return "pref";
    case MemoryKind::context:
      return "context";
  }
  return "fact";
}

Result<MemoryKind> parse_memory_kind(std::string_view text) {
  for (const MemoryKind kind : {MemoryKind::fact, MemoryKind::pref, MemoryKind::context}) {
    if (text == name(kind)) return kind;
  }
  return Error(Errc::invalid_argument, "a memory's kind is fact, pref or context");
}

namespace detail {

namespace {

constexpr std::int64_t kMemoryFormat = 1;

/// The members of an object's text: what stands between its braces.
std::string members_of(const json::object& object) {
  std::string text;
  write_json(text, object);
  return text.substr(1, text.size() - 2);
}

json::object to_json(const MemoryItem& item) {
  json::object object;
  object["id"] = item.id;
  object["kind"] = json::string_view(name(item.note.kind));
  object["content"] = item.note.content;
  object["created_at"] = item.created_at.text();
  if (!item.note.tags.empty()) {
    json::array& tags = object["tags"].emplace_array();
    for (const std::string& tag : item.note.tags)
      tags.emplace_back(tag);
  }
  if (!item.note.source.empty()) object["source"] = item.note.source;
  return object;
}

/// 0 when `value` is no usable id.
MemoryId id_from(const json::value* value) noexcept {
  if (value == nullptr || !value->is_int64() || value->get_int64() < 1) return 0;
  const auto id = static_cast<MemoryId>(value->get_int64());
  return id <= kMaxMemoryId ? id : 0;
}

std::string text_of(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<MemoryItem> item_from(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  MemoryItem item;
  item.id = id_from(object->if_contains("id"));
  auto kind = parse_memory_kind(text_of(*object, "kind"));
  item.note.content = text_of(*object, "content");
  if (!kind || item.id == 0 || item.note.content.empty()) return std::nullopt;
  item.note.kind = *kind;
  item.note.source = text_of(*object, "source");
  if (const auto time = parse_time(text_of(*object, "created_at"))) item.created_at = *time;
  const json::value* tags = object->if_contains("tags");
  if (tags != nullptr && tags->is_array()) {
    for (const json::value& tag : tags->get_array()) {
      if (tag.is_string()) item.note.tags.emplace_back(tag.get_string());
    }
  }
  return item;
}

/// Reads one item. Its id counts as used even when the rest of it is not understood.
void apply_item(MemoryContent& content, const json::value& value) {
  if (auto item = item_from(value)) return content.add(std::move(*item));
  if (const json::object* object = value.if_object()) {
    content.highest_id = std::max(content.highest_id, id_from(object->if_contains("id")));
  }
}

Result<void> apply_snapshot(MemoryContent& content, const json::object& snapshot) {
  const json::value* format = snapshot.if_contains("format");
  if (format == nullptr || !format->is_int64() || format->get_int64() > kMemoryFormat) {
    return Error(Errc::unsupported, "the memory was written by a newer version");
  }
  content.items.clear();
  content.highest_id = std::max(content.highest_id, id_from(snapshot.if_contains("highest_id")));
  const json::value* items = snapshot.if_contains("items");
  if (items == nullptr || !items->is_array()) return success();
  for (const json::value& item : items->get_array())
    apply_item(content, item);
  return success();
}

Result<void> apply(MemoryContent& content, const json::value& record) {
  const json::object& members = record.get_object();  // check_record takes nothing but objects
  if (const json::value* snapshot = members.if_contains("memory"); snapshot && snapshot->is_object()) {
    return apply_snapshot(content, snapshot->get_object());
  }
  if (const json::value* item = members.if_contains("add")) apply_item(content, *item);
  if (const MemoryId id = id_from(members.if_contains("forget")); id != 0) content.forget(id);
  return success();
}

}  // namespace

void MemoryContent::add(MemoryItem item) {
  highest_id = std::max(highest_id, item.id);
  items.insert_or_assign(item.id, std::move(item));
}

void MemoryContent::forget(MemoryId id) {
  highest_id = std::max(highest_id, id);
  items.erase(id);
}

std::string snapshot_members(const MemoryContent& content) {
  json::object snapshot;
  snapshot["format"] = kMemoryFormat;
  snapshot["highest_id"] = content.highest_id;
  json::array& items = snapshot["items"].emplace_array();
  for (const auto& [id, item] : content.items)
    items.push_back(to_json(item));
  json::object record;
  record["memory"] = std::move(snapshot);
  return members_of(record);
}

std::string add_members(const MemoryItem& item) {
  json::object record;
  record["add"] = to_json(item);
  return members_of(record);
}

std::string forget_members(MemoryId id, TimePoint at) {
  json::object record;
  record["forget"] = id;
  record["at"] = format_time(at);
  return members_of(record);
}

Result<void> apply_record(MemoryContent& content, const storage::LogRecord& record, const Limits& limits) {
  auto value = parse_json(record.line, Origin::stored, limits);
  if (!value) return value.error().with_offset(record.offset);
  if (auto applied = apply(content, *value); !applied) return applied.error().with_offset(record.offset);
  return success();
}

Result<MemoryContent> replay(const std::vector<storage::LogRecord>& records, const Limits& limits) {
  MemoryContent content;
  for (const storage::LogRecord& record : records) {
    if (auto applied = apply_record(content, record, limits); !applied) return applied.error();
  }
  return content;
}

}  // namespace detail
}  // namespace sessile
