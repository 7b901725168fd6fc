// Pages: each session once, whatever happens between them.
#include "conformance/suite.hpp"

#include <algorithm>
#include <set>

namespace sessile::conformance {
namespace {

std::vector<std::string> save_many(Context& c, Subject& store, int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i)
    ids.push_back(c.saved(store, std::to_string(100 + i)).id.str());
  return ids;
}

void each_once(Context& c) {
  Subject& store = c.open();
  std::vector<std::string> ids = save_many(c, store, 9);
  for (const Order order : {Order::id, Order::newest_first}) {
    const std::vector<std::string> whole = c.walk(store, ListQuery().agent(c.agent()).order(order));
    for (std::size_t limit = 1; limit <= 10; ++limit) {
      expect_equal("the ids in pages of " + std::to_string(limit),
                   c.walk(store, ListQuery().agent(c.agent()).order(order).limit(limit)), whole);
    }
    std::vector<std::string> sorted = whole;
    std::sort(sorted.begin(), sorted.end());
    expect_equal("the ids", sorted, ids);
  }
}

void page_sizes(Context& c) {
  Subject& store = c.open();
  save_many(c, store, 6);
  ListQuery query = ListQuery().agent(c.agent()).limit(4);
  const Page<SessionSummary> first = c.get("the first page", store.list(query));
  expect_equal("the size of the first page", first.items.size(), 4u);
  expect("a cursor after the first page", !first.next.empty());
  const Page<SessionSummary> second = c.get("the second page", store.list(query.cursor(first.next)));
  expect_equal("the size of the second page", second.items.size(), 2u);
  expect_equal("the cursor after the last page", second.next, "");
}

/// Walks in pages of two while other sessions are made, changed and removed before each page.
void while_written(Context& c, Order order) {
  Subject& store = c.open();
  const std::vector<std::string> stay = save_many(c, store, 8);
  const std::set<std::string> untouched(stay.begin(), stay.end());
  for (int i = 0; i < 4; ++i)
    c.saved(store, "000" + std::to_string(i));
  std::multiset<std::string> seen;
  ListQuery query = ListQuery().agent(c.agent()).order(order).limit(2);
  for (int page_number = 0; page_number < 100; ++page_number) {
    const Page<SessionSummary> page = c.get("a page", store.list(query));
    for (const SessionSummary& summary : page.items) {
      if (untouched.contains(summary.id.str())) seen.insert(summary.id.str());
    }
    if (page.next.empty()) break;
    query.cursor(page.next);
    if (page_number < 4) {
      c.saved(store, "001" + std::to_string(page_number));
      c.get("append", store.append(c.id("000" + std::to_string(page_number)), Message("user", "x")));
    } else if (page_number == 4) {
      c.get("remove", store.remove(c.id("0000")));
    }
  }
  for (const std::string& id : untouched)
    expect_equal("how often " + show(id) + " was listed", seen.count(id), 1u);
}

void while_written_newest_first(Context& c) {
  while_written(c, Order::newest_first);
}
void while_written_by_id(Context& c) {
  while_written(c, Order::id);
}

void last_one_removed(Context& c) {
  Subject& store = c.open();
  const std::vector<std::string> ids = save_many(c, store, 5);
  ListQuery query = ListQuery().agent(c.agent()).order(Order::id).limit(2);
  const Page<SessionSummary> first = c.get("the first page", store.list(query));
  c.get("removing the last of the page", store.remove(ids[1]));
  const Page<SessionSummary> second = c.get("the second page", store.list(query.cursor(first.next)));
  expect("two sessions on the second page", second.items.size() == 2);
  expect_equal("the session after the one removed", second.items.front().id.str(), ids[2]);
}

void bound_to_its_filter(Context& c) {
  Subject& store = c.open();
  save_many(c, store, 4);
  const ListQuery query = ListQuery().agent(c.agent()).limit(2);
  const std::string cursor = c.get("the first page", store.list(query)).next;
  const std::vector<ListQuery> others = {
      ListQuery().agent(c.agent("2")).limit(2),
      ListQuery().limit(2),
      ListQuery(query).order(Order::id),
      ListQuery(query).user("u"),
      ListQuery(query).project(""),
      ListQuery(query).updated_since(TimePoint(std::chrono::microseconds(1)))};
  for (const ListQuery& other : others) {
    c.refuse("a cursor of another query", Errc::invalid_argument,
             store.list(ListQuery(other).cursor(cursor)));
  }
  c.get("the cursor with another limit", store.list(ListQuery(query).limit(1).cursor(cursor)));
}

void malformed_cursor(Context& c) {
  Subject& store = c.open();
  save_many(c, store, 3);
  const ListQuery query = ListQuery().agent(c.agent()).limit(1);
  const std::string good = c.get("the first page", store.list(query)).next;
  for (const std::string& bad : {std::string("x"), std::string("not a cursor at all"),
                                 good.substr(0, good.size() / 2), "x" + good, std::string("\xff\0", 2)}) {
    c.refuse("the cursor " + show(bad), Errc::invalid_argument, store.list(ListQuery(query).cursor(bad)));
  }
}

void survives_reopen(Context& c) {
  Subject& store = c.open();
  save_many(c, store, 5);
  ListQuery query = ListQuery().agent(c.agent()).limit(2);
  const std::vector<std::string> whole = c.walk(store, query);
  const Page<SessionSummary> first = c.get("the first page", store.list(query));
  Subject& again = c.reopen();
  expect_equal("the ids after the first page", c.walk(again, query.cursor(first.next)),
               std::vector<std::string>(whole.begin() + 2, whole.end()));
}

void limits(Context& c) {
  Subject& store = c.open();
  save_many(c, store, 2);
  const ListQuery query = ListQuery().agent(c.agent());
  for (const std::size_t limit : {std::size_t{0}, kMaxPageSize + 1, SIZE_MAX}) {
    c.refuse("a limit of " + std::to_string(limit), Errc::invalid_argument,
             store.list(ListQuery(query).limit(limit)));
  }
  for (const std::size_t limit : {std::size_t{1}, kMaxPageSize}) {
    c.get("a limit of " + std::to_string(limit), store.list(ListQuery(query).limit(limit)));
  }
}

}  // namespace

std::vector<Entry> paging_behaviours() {
  return {
      {"paging.each_once", "Pages of any size hold each session exactly once", each_once},
      {"paging.page_sizes", "Pages are full but for the last, which has no next", page_sizes},
      {"paging.while_written", "A walk, newest first, meets each untouched session once while others change",
       while_written_newest_first},
      {"paging.while_written_by_id", "A walk by id meets each untouched session once while others change",
       while_written_by_id},
      {"paging.last_one_removed", "A walk goes on when the session it stopped at is removed",
       last_one_removed},
      {"paging.bound_to_its_filter", "A cursor is refused with another filter or order", bound_to_its_filter},
      {"paging.malformed_cursor", "A malformed cursor is refused", malformed_cursor},
      {"paging.survives_reopen", "A cursor is good in a reopened store", survives_reopen},
      {"paging.limits", "Pages of none and of more than 10,000 are refused", limits},
  };
}

}  // namespace sessile::conformance
