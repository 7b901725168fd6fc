// The statement of a listing: keyset conditions, each filter a bound parameter.
#include "store.hpp"

namespace sessile::postgres {

namespace {

/// Collects conditions and what they are about.
class Conditions {
 public:
  void add(std::string_view before, Parameter parameter, std::string_view after = "") {
    text_ += text_.empty() ? "WHERE " : " AND ";
    text_ += before;
    text_ += bind(std::move(parameter));
    text_ += after;
  }
  std::string bind(Parameter parameter) {
    parameters.push_back(std::move(parameter));
    return "$" + std::to_string(parameters.size());
  }
  void add_text(std::string_view condition) {
    text_ += text_.empty() ? "WHERE " : " AND ";
    text_ += condition;
  }
  const std::string& text() const noexcept { return text_; }
  std::vector<Parameter> parameters;

 private:
  std::string text_;
};

}  // namespace

Result<Listing> listing_of(const ListQuery& query, const Statements& statements) {
  auto position = decode_cursor(query);
  if (!position) return position.error();
  Conditions conditions;
  conditions.add_text("s.sound");
  if (query.agent()) conditions.add("s.agent_id = ", Parameter::text(query.agent()->str()));
  if (query.user()) conditions.add("s.user_id = ", Parameter::text(as_json_text(*query.user())));
  if (query.project()) conditions.add("s.project_id = ", Parameter::text(as_json_text(*query.project())));
  if (query.updated_since())
    conditions.add("s.updated_us >= ", Parameter::integer(micros(*query.updated_since())));
  const bool by_id = query.order() == Order::id;
  if (*position && by_id) conditions.add("s.id > ", Parameter::text((*position)->id.str()));
  if (*position && !by_id) {
    // The first half is what an index takes for a bound.
    const std::string time = conditions.bind(Parameter::integer(micros((*position)->updated_at)));
    const std::string id = conditions.bind(Parameter::text((*position)->id.str()));
    conditions.add_text("s.updated_us <= " + time + " AND (s.updated_us < " + time + " OR s.id > " + id +
                        ")");
  }
  Listing listing;
  // Not prepared: the plan is to fit the filter's values. One more than asked for tells that there are more.
  listing.statement =
      Statement(std::string(), statements.select_summaries + conditions.text() +
                                   (by_id ? " ORDER BY s.id" : " ORDER BY s.updated_us DESC, s.id") +
                                   " LIMIT " + std::to_string(query.limit() + 1));
  listing.parameters = std::move(conditions.parameters);
  return listing;
}

}  // namespace sessile::postgres
