#include "json/session_codec.hpp"

#include "json/dialects.hpp"
#include "json/fields.hpp"
#include "json/parser.hpp"
#include "json/shapes.hpp"
#include "json/writer.hpp"

#include <sessile/backend.hpp>

#include <algorithm>

namespace sessile {
namespace detail {
namespace {

constexpr std::uint32_t kMessageLevel = 3;  // in the session, in its messages

/// Takes the fields of a session from its document, one after the other.
class SessionReader {
 public:
  Checked take(std::string_view name, json::value& value) {
    Session& session = decoded_.session;
    if (name == "session_id") return read_id(name, value);
    if (name == "agent_id") return read_name(name, value, session.agent_id);
    if (name == "user_id") return read_string(name, value, session.user_id);
    if (name == "project_id") return read_string(name, value, session.project_id);
    if (name == "parent_id") {
      present_.parent_id = !value.is_null();
      return read_name(name, value, session.parent_id);
    }
    if (name == "title") return read_string(name, value, session.title);
    if (name == "created_at") return read_timestamp(name, value, session.created_at);
    if (name == "updated_at") {
      present_.updated_at = !value.is_null();
      return read_timestamp(name, value, session.updated_at);
    }
    if (name == "revision") return read_unsigned(name, value, session.revision);
    if (name == "metadata") return read_metadata(value);
    if (name == "messages") {
      present_.messages = !value.is_null();
      return read_list(name, value, session.messages, take_message);
    }
    if (name == "trajectory") {
      present_.trajectory = !value.is_null();
      return read_list(name, value, session.trajectory, take_step);
    }
    if (name == "sessile") return {};
    if (name == "sessile_appends") {
      decoded_.appends = std::move(value);
      return {};
    }
    session.extra.emplace(json_view(name), std::move(value));
    return {};
  }

  /// After all fields: what other fields stand for.
  Checked finish() {
    Session& session = decoded_.session;
    if (!has_id_) {
      const json::value* alias = session.extra.if_contains("id");
      if (!alias) return Fault{std::string(), "session_id is missing"};
      if (Checked fault = read_id("id", *alias)) return fault;
      session.extra.stable_erase("id");
    }
    const json::value* partial = session.extra.if_contains("partial");
    if (partial && is_session_field("partial", *partial)) {
      if (Checked fault = read_partial()) return fault;
    }
    read_loops_dialect(session, present_);
    read_exchange_dialect(session, present_);
    return {};
  }

  DecodedSession release() { return std::move(decoded_); }

 private:
  template <class Name>
  static Checked read_name(std::string_view name, const json::value& value, Name& out) {
    std::string text;
    if (Checked fault = read_string(name, value, text)) return fault;
    out = Name(std::move(text));
    return {};
  }

  Checked read_id(std::string_view name, const json::value& value) {
    if (value.is_null()) return {};
    if (Checked fault = read_name(name, value, decoded_.session.id)) return fault;
    has_id_ = true;
    if (const Result<void> valid = check(decoded_.session.id); !valid)
      return fault_in(name, valid.error().detail());
    return {};
  }

  Checked read_metadata(json::value& value) {
    if (value.is_null()) return {};
    json::object* object = value.if_object();
    if (!object) return fault_in("metadata", "expected an object");
    decoded_.session.metadata = std::move(*object);
    return {};
  }

  Checked read_partial() {
    Session& session = decoded_.session;
    if (const json::value* omitted = session.extra.if_contains("omitted_messages")) {
      if (Checked fault = read_unsigned("omitted_messages", *omitted, session.omitted_messages)) return fault;
    }
    session.completeness = Completeness::partial;
    session.extra.stable_erase("partial");
    session.extra.stable_erase("omitted_messages");
    return {};
  }

  template <class T>
  static Checked read_list(std::string_view name, json::value& value, std::vector<T>& out,
                           Checked (*take)(json::object&&, T&)) {
    if (value.is_null()) return {};
    json::array* items = value.if_array();
    if (!items) return fault_in(name, "expected an array");
    out.reserve(items->size());
    for (std::size_t i = 0; i < items->size(); ++i) {
      json::object* object = (*items)[i].if_object();
      if (!object) return within(name, i, Fault{std::string(), "expected an object"});
      if (Checked fault = take(std::move(*object), out.emplace_back()))
        return within(name, i, *std::move(fault));
      // What it was taken from goes now, not with all others: they take as much room as the session.
      (*items)[i].emplace_null();
    }
    return {};
  }

  DecodedSession decoded_;
  Present present_;
  bool has_id_ = false;
};

/// Refuses what a later version wrote: it may have rules that we would break.
Result<void> check_format(const json::object& document, Origin origin) {
  const json::value* own = document.if_contains("sessile");
  if (!own) return success();
  const json::object* header = own->if_object();
  const json::value* format = header ? header->if_contains("format") : nullptr;
  const std::optional<std::uint64_t> version = format ? to_unsigned(*format) : std::nullopt;
  if (!version || *version == 0) {
    return to_error(Fault{"/sessile/format", "expected a positive integer"}, origin);
  }
  if (*version > kFormatVersion) {
    return Error(Errc::unsupported, "written by a newer version of Sessile, in format " +
                                        std::to_string(*version) + "; this one reads up to " +
                                        std::to_string(kFormatVersion) + ": upgrade");
  }
  return success();
}

/// True when `value` nests no deeper than `levels`.
bool is_shallow(const json::value& value, std::uint32_t levels) noexcept {
  if (!value.is_structured()) return true;
  if (levels == 0) return false;
  if (const json::array* array = value.if_array()) {
    return std::all_of(array->begin(), array->end(),
                       [levels](const json::value& element) { return is_shallow(element, levels - 1); });
  }
  const json::object& object = value.get_object();
  return std::all_of(object.begin(), object.end(),
                     [levels](const auto& field) { return is_shallow(field.value(), levels - 1); });
}

/// `value` in the default storage: a copy only when it lies in another.
json::value in_default_storage(json::value value) {
  return json::value(std::move(value), json::storage_ptr());
}

Result<Session> without_appends(Result<DecodedSession> decoded) {
  if (!decoded) return decoded.error();
  return std::move(decoded->session);
}

}  // namespace

Result<DecodedSession> take_session(json::value document, Origin origin) {
  json::object* fields = document.if_object();
  if (!fields) return to_error(Fault{std::string(), "expected an object"}, origin);
  if (const Result<void> readable = check_format(*fields, origin); !readable) return readable.error();
  SessionReader reader;
  for (auto& field : *fields) {
    if (const Checked fault = reader.take(view(field.key()), field.value())) return to_error(*fault, origin);
  }
  if (const Checked fault = reader.finish()) return to_error(*fault, origin);
  return reader.release();
}

}  // namespace detail

std::string encode_session(const Session& session) {
  std::string text;
  text.reserve(std::max<std::size_t>(session.stored_bytes, 1024) + 256);
  detail::Writer<detail::Layout::one_line> out(text);
  out.open('{');
  detail::put_session_fields(out, session);
  out.close('}');
  return text;
}

void write_session(std::string& out, const Session& session, const Written& stamp) {
  detail::Writer<detail::Layout::one_line> writer(out);
  writer.open('{');
  detail::put_session_fields(writer, session, detail::StampView(stamp));
  writer.close('}');
}

Result<Session> decode_session(std::string_view text, Origin origin, const Limits& limits) {
  Result<json::value> document = parse_json(text, origin, limits);
  if (!document) return document.error();
  return detail::without_appends(detail::take_session(*std::move(document), origin));
}

Result<Session> session_from_json(json::value document, Origin origin, const Limits& limits) {
  if (!detail::is_shallow(document, detail::depth_limit(limits))) {
    return Error(Errc::too_large,
                 "nested deeper than " + std::to_string(detail::depth_limit(limits)) + " levels");
  }
  return detail::without_appends(
      detail::take_session(detail::in_default_storage(std::move(document)), origin));
}

std::string encode_message(const Message& message) {
  std::string text;
  text.reserve(256);
  detail::Writer<detail::Layout::one_line> out(text);
  detail::put_message(out, message);
  return text;
}

Result<Message> decode_message(std::string_view text, Origin origin, const Limits& limits) {
  Result<json::value> document = detail::parse_at_level(text, origin, limits, detail::kMessageLevel);
  if (!document) return document.error();
  return message_from_json(*std::move(document), origin);
}

Result<Message> message_from_json(json::value document, Origin origin) {
  document = detail::in_default_storage(std::move(document));
  json::object* fields = document.if_object();
  if (!fields) return detail::to_error(detail::Fault{std::string(), "expected an object"}, origin);
  Message message;
  if (const detail::Checked fault = detail::take_message(std::move(*fields), message)) {
    return detail::to_error(*fault, origin);
  }
  return message;
}

}  // namespace sessile
