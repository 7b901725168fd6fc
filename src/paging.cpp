#include <sessile/backend.hpp>

#include <algorithm>
#include <charconv>

namespace sessile {

namespace {

/// Everything that selects and orders, but not how much: a cursor made for one page size serves another.
Revision filter_hash(const ListQuery& query) {
  std::string text;
  const auto add = [&text](char tag, const std::string& value) {
    text += tag;
    text += std::to_string(value.size()) + ":" + value;
  };
  if (query.agent()) add('a', query.agent()->str());
  if (query.user()) add('u', *query.user());
  if (query.project()) add('p', *query.project());
  if (query.updated_since()) add('s', std::to_string(query.updated_since()->time_since_epoch().count()));
  add('o', query.order() == Order::id ? "id" : "newest");
  return content_revision(text);
}

Error bad_cursor(std::string_view why) {
  return Error(Errc::invalid_argument, "the cursor " + std::string(why));
}

/// Takes the characters up to `separator` off the front of `text`; empty when there is none.
std::optional<std::string_view> take_until(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end + 1);
  return field;
}

template <class Number>
std::optional<Number> to_number(std::string_view text) {
  Number number{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool before(const SessionSummary& a, const SessionSummary& b, Order order) {
  if (order == Order::newest_first && a.updated_at.time() != b.updated_at.time()) {
    return a.updated_at.time() > b.updated_at.time();
  }
  return a.id < b.id;
}

}  // namespace

bool matches(const SessionSummary& summary, const ListQuery& query) {
  if (query.agent() && summary.agent_id != *query.agent()) return false;
  if (query.user() && summary.user_id != *query.user()) return false;
  if (query.project() && summary.project_id != *query.project()) return false;
  if (query.updated_since() && summary.updated_at.time() < *query.updated_since()) return false;
  return true;
}

// A cursor is `1.FILTER.MICROSECONDS.ID`: the id goes last, for it may hold anything.
std::string encode_cursor(const ListQuery& query, const SessionSummary& last) {
  return "1." + std::to_string(filter_hash(query)) + "." +
         std::to_string(last.updated_at.time().time_since_epoch().count()) + "." + last.id.str();
}

Result<std::optional<CursorPosition>> decode_cursor(const ListQuery& query) {
  if (query.cursor().empty()) return std::optional<CursorPosition>();
  std::string_view text = query.cursor();
  const auto version = take_until(text, '.');
  if (version != "1") return bad_cursor("is not one that list returned");
  const auto filter = take_until(text, '.');
  const auto time = take_until(text, '.');
  const auto hash = filter ? to_number<Revision>(*filter) : std::nullopt;
  const auto micros = time ? to_number<std::int64_t>(*time) : std::nullopt;
  if (!hash || !micros) return bad_cursor("is not one that list returned");
  if (*hash != filter_hash(query))
    return bad_cursor("was made for another filter or order; start anew without one");
  CursorPosition position;
  position.updated_at = TimePoint(std::chrono::microseconds(*micros));
  position.id = SessionId(text);
  if (auto id = check(position.id); !id) return bad_cursor("is not one that list returned");
  return std::optional<CursorPosition>(std::move(position));
}

bool comes_after(const SessionSummary& summary, const CursorPosition& position, Order order) {
  if (order == Order::newest_first && summary.updated_at.time() != position.updated_at) {
    return summary.updated_at.time() < position.updated_at;
  }
  return summary.id > position.id;
}

Result<Page<SessionSummary>> make_page(std::vector<SessionSummary> all, std::vector<Error> unreadable,
                                       const ListQuery& query) {
  auto position = decode_cursor(query);
  if (!position) return position.error();
  std::erase_if(all, [&](const SessionSummary& summary) {
    return !matches(summary, query) || (*position && !comes_after(summary, **position, query.order()));
  });

  const std::size_t size = std::min(query.limit(), all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size), all.end(),
                    [&](const auto& a, const auto& b) { return before(a, b, query.order()); });
  Page<SessionSummary> page;
  const bool more = all.size() > size;
  all.resize(size);
  page.items = std::move(all);
  if (more && !page.items.empty()) page.next = encode_cursor(query, page.items.back());
  if (!*position) page.unreadable = std::move(unreadable);
  return page;
}

}  // namespace sessile
