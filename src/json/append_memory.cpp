#include <sessile/backend.hpp>

#include "json/fields.hpp"
#include "json/sha256.hpp"

#include <algorithm>

namespace sessile {
namespace {

constexpr std::size_t kFingerprintBytes = 16;

json::value timestamp_json(const Timestamp& time) {
  if (time.original().empty()) {
    return time.is_set() ? json::value(json::string(detail::json_view(time.text()))) : json::value();
  }
  Result<json::value> original = parse_json(time.original(), Origin::caller);
  return original ? *std::move(original) : json::value();
}

detail::Checked read_entry(const json::object& from, AppendMemory::Entry& to) {
  for (const auto& field : from) {
    const std::string_view name = detail::view(field.key());
    detail::Checked fault;
    if (name == "key") {
      fault = detail::read_string(name, field.value(), to.key);
    } else if (name == "fingerprint") {
      fault = detail::read_string(name, field.value(), to.fingerprint);
    } else if (name == "revision") {
      fault = detail::read_unsigned(name, field.value(), to.written.revision);
    } else if (name == "created_at") {
      fault = detail::read_timestamp(name, field.value(), to.written.created_at);
    } else if (name == "updated_at") {
      fault = detail::read_timestamp(name, field.value(), to.written.updated_at);
    }
    if (fault) return fault;
  }
  if (to.key.empty()) return detail::fault_in("key", "expected a string that is not empty");
  return {};
}

}  // namespace

std::string fingerprint(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages)
    text.append(encode_message(message)).append("\n");
  return detail::hex(detail::sha256(text), kFingerprintBytes);
}

Result<std::optional<Written>> AppendMemory::find(std::string_view key, std::string_view fingerprint) const {
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [key](const Entry& e) { return e.key == key; });
  if (entry == entries_.end()) return std::optional<Written>();
  if (entry->fingerprint != fingerprint) {
    return Error(Errc::invalid_argument,
                 "the idempotency key was used for other messages; use a new key for each append");
  }
  Written written = entry->written;
  written.replayed = true;
  return std::optional<Written>(std::move(written));
}

void AppendMemory::remember(std::string key, std::string fingerprint, const Written& written) {
  std::erase_if(entries_, [&key](const Entry& entry) { return entry.key == key; });
  Entry& entry = entries_.emplace_back();
  entry.key = std::move(key);
  entry.fingerprint = std::move(fingerprint);
  entry.written = written;
  entry.written.replayed = false;
  if (entries_.size() > kRememberedAppends) entries_.pop_front();
}

json::value AppendMemory::to_json() const {
  json::array list;
  list.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    json::object object;
    object.emplace("key", json::string(detail::json_view(entry.key)));
    object.emplace("fingerprint", json::string(detail::json_view(entry.fingerprint)));
    object.emplace("revision", entry.written.revision);
    object.emplace("created_at", timestamp_json(entry.written.created_at));
    object.emplace("updated_at", timestamp_json(entry.written.updated_at));
    list.push_back(std::move(object));
  }
  return list;
}

Result<AppendMemory> AppendMemory::from_json(const json::value& value) {
  constexpr std::string_view kField = "sessile_appends";
  AppendMemory memory;
  const json::array* list = value.if_array();
  if (!list) return detail::to_error(detail::fault_in(kField, "expected an array"), Origin::stored);
  for (std::size_t i = 0; i < list->size(); ++i) {
    Entry entry;
    const json::object* object = (*list)[i].if_object();
    const detail::Checked fault = object
                                      ? read_entry(*object, entry)
                                      : detail::Checked(detail::Fault{std::string(), "expected an object"});
    if (fault) return detail::to_error(detail::within(kField, i, *fault), Origin::stored);
    memory.remember(std::move(entry.key), std::move(entry.fingerprint), entry.written);
  }
  return memory;
}

}  // namespace sessile
