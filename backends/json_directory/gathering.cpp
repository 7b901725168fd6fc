#include "gathering.hpp"

#include "log_reading.hpp"
#include "storage/io_pool.hpp"
#include "storage/shared_work.hpp"

#include <atomic>
#include <map>
#include <utility>

namespace sessile::json_directory {

namespace {

using storage::helpers_for;
using storage::share_out;

/// The sessions of an agent, read by any number of threads.
class Gathering {
 public:
  Gathering(const Place& place, const ListQuery& query, const Limits& limits, std::vector<std::string> names)
      : place_(place), query_(query), limits_(limits), names_(std::move(names)), sessions_(names_.size()) {}

  /// False when not all of them can be handed out.
  bool read_all() {
    const auto part = [this](std::size_t i) { return read(i); };
    share_out(storage::io_executor(), helpers_for(names_.size()), names_.size(), part);
    return !refused_ && bytes_ < query_.byte_budget();
  }

  /// Precondition: read_all() returned true, and this was not called before.
  Result<AgentSessions> page() {
    std::map<SessionId, SessionPtr> by_id;
    std::vector<SessionSummary> summaries;
    for (SessionPtr& session : sessions_) {
      // Two names may stand for one id.
      if (session && by_id.emplace(session->id, session).second) summaries.push_back(summarize(*session));
    }
    auto page = make_page(std::move(summaries), {}, query_);
    if (!page) return page.error();
    AgentSessions found;
    found.next = std::move(page->next);
    for (const SessionSummary& summary : page->items)
      found.items.push_back(std::move(by_id.at(summary.id)));
    return found;
  }

 private:
  /// Thread-safe. False: the others need not be read.
  bool read(std::size_t i) {
    const auto id = id_of_file_name(names_[i]);
    if (!id || bytes_ >= query_.byte_budget()) return refuse();
    auto session = read_one_of_many(*place_.sessions, *place_.cache, SessionId(*id), limits_);
    if (!session) return session.error().code() == Errc::not_found || refuse();
    // An index entry whose log names another agent is left over from a move.
    if ((*session)->agent_id != *query_.agent()) return true;
    bytes_ += (*session)->stored_bytes;
    sessions_[i] = std::move(*session);
    return true;
  }

  bool refuse() noexcept {
    refused_ = true;
    return false;
  }

  const Place& place_;
  const ListQuery& query_;
  const Limits& limits_;
  const std::vector<std::string> names_;
  std::vector<SessionPtr> sessions_;  // each in the place of its name
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<bool> refused_{false};
};

}  // namespace

Result<std::optional<AgentSessions>> gather_sessions(const Place& place, const ListQuery& query,
                                                     const Limits& limits) {
  auto names = place.indexed(*query.agent());
  if (!names) return names.error();
  // All of them are on the page: no summary need be read to know which.
  if (!query.cursor().empty() || names->size() > query.limit()) return std::optional<AgentSessions>();
  Gathering gathering(place, query, limits, std::move(*names));
  if (!gathering.read_all()) return std::optional<AgentSessions>();
  auto page = gathering.page();
  if (!page) return page.error();
  return std::optional<AgentSessions>(std::move(*page));
}

std::vector<Result<SessionSummary>> read_summaries(const Place& place, const std::vector<std::string>& names,
                                                   const Limits& limits) {
  std::vector<std::optional<Result<SessionSummary>>> read(names.size());
  const auto part = [&](std::size_t i) {
    read[i].emplace(read_summary(*place.sessions, names[i] + std::string(kLogExtension), limits));
    return true;
  };
  share_out(storage::io_executor(), helpers_for(names.size()), names.size(), part);
  std::vector<Result<SessionSummary>> summaries;
  summaries.reserve(names.size());
  for (auto& summary : read)
    summaries.push_back(std::move(*summary));
  return summaries;
}

}  // namespace sessile::json_directory
