#include "json/fault.hpp"
#include "json/meter.hpp"
#include "json/parser.hpp"
#include "user_code.hpp"

#include <sessile/document_edit.hpp>

#include <charconv>
#include <optional>
#include <string_view>

namespace sessile {
namespace {

/// The parts of a path, unescaped.
using Parts = std::vector<std::string>;

json::string_view key_view(std::string_view text) {
  return json::string_view(text.data(), text.size());
}

/// The place that the first `count` parts name, for an error.
std::string place(const Parts& parts, std::size_t count) {
  if (count == 0) return "the document";
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    detail::append_key(text, parts[i]);
  return text;
}

Error refused(std::string detail) {
  return Error(Errc::invalid_argument, std::move(detail));
}

Result<void> check_part_count(std::size_t count) {
  if (count <= detail::kDeepest) return success();
  return refused("a path of more than " + std::to_string(detail::kDeepest) + " parts");
}

Result<Parts> split(std::string_view text, char separator) {
  Parts parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    if (const auto few = check_part_count(parts.size()); !few) return few.error();
    begin = end + 1;
  }
  return parts;
}

Result<Parts> parse_dotted(std::string_view path) {
  auto parts = split(path, '.');
  if (!parts) return parts.error();
  for (const std::string& part : *parts) {
    if (part.empty()) return refused("a dotted path with an empty part; a field with such a name needs a pointer");
  }
  return parts;
}

/// RFC 6901, section 4: ~1 is a slash, ~0 a tilde, and no other escape is known.
Result<std::string> unescape(std::string_view part) {
  std::string text;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '~') {
      text += part[i];
    } else if (++i < part.size() && (part[i] == '0' || part[i] == '1')) {
      text += part[i] == '0' ? '~' : '/';
    } else {
      return refused("a JSON pointer with a '~' that is neither '~0' nor '~1'");
    }
  }
  return text;
}

Result<Parts> parse_pointer(std::string_view pointer) {
  if (pointer.empty()) return Parts();
  if (pointer.front() != '/') return refused("a JSON pointer that neither is empty nor begins with '/'");
  auto parts = split(pointer.substr(1), '/');
  if (!parts) return parts.error();
  for (std::string& part : *parts) {
    auto text = unescape(part);
    if (!text) return text.error();
    part = *std::move(text);
  }
  return parts;
}

/// RFC 6901: digits without a leading zero. Empty: not an index.
std::optional<std::size_t> array_index(std::string_view part) {
  if (part.empty() || (part.size() > 1 && part.front() == '0')) return std::nullopt;
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
  if (error != std::errc() || end != part.data() + part.size()) return std::nullopt;
  return index;
}

std::string kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::object:
      return "an object";
    case json::kind::array:
      return "an array";
    case json::kind::string:
      return "a string";
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    default:
      return "a number";
  }
}

/// Where a path may lead.
enum class Containers { objects, objects_and_arrays };
enum class MissingObjects { create, refuse };

/// One step from what the first `i` parts name to what part `i` names.
Result<json::value*> step(json::value& from, const Parts& parts, std::size_t i, Containers containers,
                          MissingObjects missing) {
  const std::string& part = parts[i];
  if (from.is_object()) {
    json::object& object = from.get_object();
    if (json::value* const found = object.if_contains(key_view(part))) return found;
    if (missing == MissingObjects::refuse) return refused(place(parts, i + 1) + ": there is nothing");
    return &object.emplace(key_view(part), json::object()).first->value();
  }
  if (from.is_array() && containers == Containers::objects_and_arrays) {
    json::array& array = from.get_array();
    const auto index = array_index(part);
    if (!index) return refused(place(parts, i + 1) + ": not an index of the array");
    if (*index >= array.size()) return refused(place(parts, i + 1) + ": the array has no such element");
    return &array[*index];
  }
  return refused(place(parts, i) + ": the path leads through " + kind_name(from));
}

/// What all parts but the last name. Precondition: there is a last one.
Result<json::value*> parent_of(json::value& document, const Parts& parts, Containers containers,
                               MissingObjects missing) {
  json::value* at = &document;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const auto next = step(*at, parts, i, containers, missing);
    if (!next) return next.error();
    at = *next;
  }
  return at;
}

Result<void> set_element(json::array& array, const Parts& parts, const json::value& value) {
  const std::string& part = parts.back();
  const auto index = part == "-" ? std::optional(array.size()) : array_index(part);
  if (!index) return refused(place(parts, parts.size()) + ": not an index of the array");
  if (*index > array.size()) return refused(place(parts, parts.size()) + ": the array has no such element");
  if (*index == array.size()) {
    array.push_back(value);
  } else {
    array[*index] = value;
  }
  return success();
}

Result<void> set_at(json::value& document, const Parts& parts, Containers containers,
                    const json::value& value) {
  if (parts.empty()) {
    document = value;
    return success();
  }
  const auto parent = parent_of(document, parts, containers, MissingObjects::create);
  if (!parent) return parent.error();
  if ((*parent)->is_object()) {
    (*parent)->get_object().insert_or_assign(key_view(parts.back()), value);
    return success();
  }
  if ((*parent)->is_array() && containers == Containers::objects_and_arrays) {
    return set_element((*parent)->get_array(), parts, value);
  }
  return refused(place(parts, parts.size() - 1) + ": the path leads through " + kind_name(**parent));
}

Result<void> erase_at(json::value& document, const Parts& parts, Containers containers) {
  if (parts.empty()) return refused("the whole document cannot be erased by an edit; remove it");
  const auto parent = parent_of(document, parts, containers, MissingObjects::refuse);
  if (!parent) return parent.error();
  const auto found = step(**parent, parts, parts.size() - 1, containers, MissingObjects::refuse);
  if (!found) return found.error();
  if ((*parent)->is_object()) {
    // Stable: the others keep their order.
    (*parent)->get_object().stable_erase(key_view(parts.back()));
  } else {
    json::array& array = (*parent)->get_array();
    array.erase(array.begin() + (*found - array.data()));
  }
  return success();
}

/// RFC 7396, section 2.
void merge_into(json::value& target, const json::value& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = json::object();
  json::object& object = target.get_object();
  for (const auto& field : patch.get_object()) {
    if (field.value().is_null()) {
      object.stable_erase(field.key());
    } else {
      merge_into(object[field.key()], field.value());
    }
  }
}

/// Too deep a value would overflow the stack while it is merged.
Result<void> check_depth(const json::value& value) {
  Limits limits;
  limits.depth = detail::kDeepest;
  detail::Meter meter(limits, 0);
  meter.value(value);
  if (const auto measured = meter.result(); !measured) return measured.error();
  return success();
}

}  // namespace

DocumentEdit DocumentEdit::set(std::string path, json::value value) {
  return DocumentEdit([path = std::move(path), value = std::move(value)](json::value& document) -> Result<void> {
    const auto parts = parse_dotted(path);
    if (!parts) return parts.error();
    return set_at(document, *parts, Containers::objects, value);
  });
}

DocumentEdit DocumentEdit::erase(std::string path) {
  return DocumentEdit([path = std::move(path)](json::value& document) -> Result<void> {
    const auto parts = parse_dotted(path);
    if (!parts) return parts.error();
    return erase_at(document, *parts, Containers::objects);
  });
}

DocumentEdit DocumentEdit::set_pointer(std::string pointer, json::value value) {
  return DocumentEdit(
      [pointer = std::move(pointer), value = std::move(value)](json::value& document) -> Result<void> {
        const auto parts = parse_pointer(pointer);
        if (!parts) return parts.error();
        return set_at(document, *parts, Containers::objects_and_arrays, value);
      });
}

DocumentEdit DocumentEdit::erase_pointer(std::string pointer) {
  return DocumentEdit([pointer = std::move(pointer)](json::value& document) -> Result<void> {
    const auto parts = parse_pointer(pointer);
    if (!parts) return parts.error();
    return erase_at(document, *parts, Containers::objects_and_arrays);
  });
}

DocumentEdit DocumentEdit::merge(json::value patch) {
  return DocumentEdit([patch = std::move(patch)](json::value& document) -> Result<void> {
    if (const auto shallow = check_depth(patch); !shallow) return shallow.error();
    merge_into(document, patch);
    return success();
  });
}

Result<void> DocumentEdit::apply(json::value& document) const {
  return detail::run_user_code("an edit", [&] { return function_(document); });
}

}  // namespace sessile
