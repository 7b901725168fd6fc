#include "conformance/suite.hpp"

namespace sessile::conformance {

const std::vector<Group>& groups() {
  static const std::vector<Group> all = {
      Group("roundtrip", roundtrip_behaviours()),
      Group("encoding", encoding_behaviours()),
      Group("ids", ids_behaviours()),
      Group("revisions", revisions_behaviours()),
      Group("create", create_behaviours()),
      Group("update", update_behaviours()),
      Group("append", append_behaviours()),
      Group("remove", remove_behaviours()),
      Group("list", list_behaviours()),
      Group("paging", paging_behaviours()),
      Group("list_for_agent", list_for_agent_behaviours()),
      Group("partial", partial_behaviours()),
      Group("concurrency", concurrency_behaviours()),
      Group("cancellation", cancellation_behaviours()),
      Group("executors", executors_behaviours()),
      Group("limits", limits_behaviours()),
      Group("reopen", reopen_behaviours()),
      Group("corruption", corruption_behaviours()),
      Group("lifecycle", lifecycle_behaviours()),
      Group("processes", processes_behaviours()),
  };
  return all;
}

}  // namespace sessile::conformance
