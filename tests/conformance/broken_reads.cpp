// Load, list and list_for_agent of the broken store.
#include "conformance/broken_store.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace sessile::conformance {
namespace {

/// `query` but for what the predicate says to leave out.
ListQuery without(const ListQuery& query, std::string_view filter) {
  ListQuery copy;
  copy.order(query.order()).limit(query.limit()).cursor(query.cursor()).byte_budget(query.byte_budget());
  if (query.agent() && filter != "agent") copy.agent(*query.agent());
  if (query.user() && filter != "user") copy.user(*query.user());
  if (query.project() && filter != "project") copy.project(*query.project());
  if (query.updated_since() && filter != "since") copy.updated_since(*query.updated_since());
  return copy;
}

bool same_letters(const std::string& a, const std::string& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool less_as_signed(const SessionSummary& a, const SessionSummary& b) {
  const auto as_signed = [](char x, char y) {
    return static_cast<signed char>(x) < static_cast<signed char>(y);
  };
  return std::lexicographical_compare(a.id.str().begin(), a.id.str().end(), b.id.str().begin(),
                                      b.id.str().end(), as_signed);
}

}  // namespace

Async<SessionPtr> BrokenStore::do_load(SessionId id, LoadOptions options) {
  co_await pause();
  const std::lock_guard lock(place_->mutex);
  Record* record = find(id);
  if (!record) co_return is("load.unknown") ? Error(Errc::not_found).with_key("?") : Error(Errc::not_found);
  if (record->corrupt) {
    if (is("corruption.load")) co_return Error(Errc::not_found);
    co_return Error(Errc::corrupt, "damaged").with_path("/broken");
  }
  if (options.last_messages() == 0u && is("partial.without_messages")) options = LoadOptions();
  SessionPtr view = partial_view(record->session, options);
  const bool asked = options.last_messages().has_value();
  Session changed = *view;
  if (asked && is("partial.last_messages") && view->completeness == Completeness::partial) {
    const auto& all = record->session->messages;
    changed.messages.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(view->messages.size()));
  }
  if (asked && is("partial.whole")) changed.completeness = Completeness::partial;
  if (asked && is("partial.keeps_the_rest")) changed.metadata.clear();
  co_return std::make_shared<const Session>(std::move(changed));
}

std::vector<SessionSummary> BrokenStore::summaries(const ListQuery& query, std::vector<Error>& unreadable) {
  std::vector<SessionSummary> all;
  const auto add = [&](const Record& record) {
    SessionSummary summary = summarize(*record.session);
    summary.stored_bytes = record.session->stored_bytes;
    if (is("list.summary_fields")) summary.parent_id = SessionId();
    if (is("list.titles") && summary.title.size() > 60) summary.title.resize(60);
    if (is("list.follows_writes")) summary.message_count = record.messages_when_saved;
    if (is("ids.agents") && query.agent() && same_letters(summary.agent_id.str(), query.agent()->str()))
      summary.agent_id = *query.agent();
    if (query.agent() && record.former_agents.contains(query.agent()->str()))
      summary.agent_id = *query.agent();
    all.push_back(std::move(summary));
  };
  for (const auto& [key, record] : place_->records) {
    if (!record.corrupt) {
      add(record);
    } else if (!is("corruption.list_reports")) {
      unreadable.push_back(Error(Errc::corrupt, "damaged").with_key(key).with_path("/broken"));
    }
  }
  if (is("remove.gone_from_lists")) {
    for (const auto& [key, record] : place_->removed) {
      if (!place_->records.contains(key)) add(record);
    }
  }
  return all;
}

Page<SessionSummary> BrokenStore::page_by_offset(std::vector<SessionSummary> all, const ListQuery& query) {
  const std::size_t from = query.cursor().empty() ? 0 : place_->offsets[query.cursor()];
  ListQuery whole = query;
  Page<SessionSummary> page = make_page(std::move(all), {}, whole.cursor("").limit(kMaxPageSize)).value();
  const std::size_t first = std::min(from, page.items.size()),
                    last = std::min(first + query.limit(), page.items.size());
  const bool more = last < page.items.size();
  page.items = std::vector<SessionSummary>(page.items.begin() + static_cast<std::ptrdiff_t>(first),
                                           page.items.begin() + static_cast<std::ptrdiff_t>(last));
  if (more && !page.items.empty()) {
    page.next = encode_cursor(query, page.items.back());
    place_->offsets[page.next] = last;
  }
  return page;
}

void BrokenStore::spoil_page(Page<SessionSummary>& page, const ListQuery& query) const {
  if (is("list.newest_first") && query.order() == Order::newest_first) {
    std::stable_sort(page.items.begin(), page.items.end(), [](const auto& a, const auto& b) {
      return a.updated_at == b.updated_at && a.id > b.id;
    });
  }
  if (is("ids.order_by_bytes") && query.order() == Order::id)
    std::stable_sort(page.items.begin(), page.items.end(), less_as_signed);
  if (is("paging.each_once") && !page.next.empty() && page.items.size() > 3)
    page.items.erase(page.items.begin());
}

Result<Page<SessionSummary>> BrokenStore::page_of(ListQuery query, bool whole) {
  const std::lock_guard lock(place_->mutex);
  std::vector<Error> unreadable;
  std::vector<SessionSummary> all = summaries(query, unreadable);
  const bool fails = whole ? is("corruption.list_for_agent_goes_on") : is("corruption.list_goes_on");
  if (fails && !unreadable.empty()) return unreadable.front();
  ListQuery filter = query;
  if (!whole && is("list.filter_agent")) filter = without(query, "agent");
  if (is("list.filter_user")) filter = without(query, "user");
  if (!whole && is("list.filter_project") && query.project() && !query.project()->empty())
    filter = without(query, "project");
  if (is("list.filter_no_project") && query.project() && query.project()->empty())
    filter = without(query, "project");
  if (!whole && is("list.filter_no_agent") && query.agent() && query.agent()->empty())
    filter = without(query, "agent");
  if (whole && is("list_for_agent.empty_agent") && query.agent()->empty()) filter = without(query, "agent");
  if (is("list.filter_since") && query.updated_since())
    filter.updated_since(*query.updated_since() + std::chrono::microseconds(1));
  if (is("list.filters_combine") && query.user() && query.project()) filter = without(query, "project");
  if (whole && is("list_for_agent.filters")) filter = without(query, "project");
  std::erase_if(all, [&](const SessionSummary& summary) { return !matches(summary, filter); });
  // Filtered already; the cursor is bound to the query as it was asked, so that stays, but for what was
  // dropped above.
  for (SessionSummary& summary : all) {
    if (query.agent()) summary.agent_id = *query.agent();
    if (query.user()) summary.user_id = *query.user();
    if (query.project()) summary.project_id = *query.project();
  }
  const bool by_offset = (is("paging.while_written") && query.order() == Order::newest_first) ||
                         (is("paging.while_written_by_id") && query.order() == Order::id);
  if (by_offset) return page_by_offset(std::move(all), query);
  if (is("paging.last_one_removed") && !query.cursor().empty()) {
    const auto position = decode_cursor(query);
    if (position && *position && !find((*position)->id)) return Page<SessionSummary>();
  }
  if (is("list.by_id") && query.order() == Order::id && query.cursor().empty())
    query.order(Order::newest_first);
  if (is("paging.page_sizes") && query.limit() > 1 && query.limit() < 10) query.limit(query.limit() - 1);
  Result<Page<SessionSummary>> page = make_page(std::move(all), std::move(unreadable), query);
  if (!page) return page;
  spoil_page(*page, query);
  if (is("list.nothing_there") && page->items.empty() && query.cursor().empty())
    return Error(Errc::not_found);
  return page;
}

Async<Page<SessionSummary>> BrokenStore::do_list(ListQuery query) {
  co_await pause();
  co_return page_of(std::move(query), false);
}

Async<AgentSessions> BrokenStore::do_list_for_agent(AgentId agent, ListQuery query) {
  query.agent(std::move(agent));
  co_await pause();
  if (is("list_for_agent.removed_meanwhile")) {
    auto listed = page_of(query, true);
    if (!listed) co_return listed.error();
    co_await dally();
    for (const SessionSummary& summary : listed->items) {
      const std::lock_guard lock(place_->mutex);
      if (!find(summary.id)) co_return Error(Errc::not_found);
    }
  }
  co_return sessions_of(std::move(query));
}

Result<AgentSessions> BrokenStore::sessions_of(ListQuery query) {
  Result<Page<SessionSummary>> listed = page_of(query, true);
  if (!listed) return listed.error();
  const std::lock_guard lock(place_->mutex);
  AgentSessions page;
  page.unreadable = std::move(listed->unreadable);
  page.next = std::move(listed->next);
  if (is("list_for_agent.pages") && !page.next.empty() && listed->items.size() > 1)
    listed->items.erase(listed->items.begin());
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < listed->items.size(); ++i) {
    const Record* record = find(listed->items[i].id);
    if (!record || record->corrupt) continue;  // removed since it was listed
    bytes += record->session->stored_bytes;
    const bool too_much = bytes > query.byte_budget() && !is("list_for_agent.byte_budget");
    if (too_much && (i > 0 || is("list_for_agent.at_least_one"))) {
      if (i > 0) page.next = encode_cursor(query, listed->items[i - 1]);
      break;
    }
    Session session = *record->session;
    if (is("list_for_agent.whole_sessions")) session.trajectory.clear();
    page.items.push_back(std::make_shared<const Session>(std::move(session)));
  }
  return page;
}

}  // namespace sessile::conformance
