#include "salvage.hpp"

#include "layout.hpp"

#include <algorithm>

namespace sessile::json_directory {

namespace {

/// How many records at the end of a log are given up, one by one, when what they add up to is no session.
constexpr int kMostDropped = 64;

}  // namespace

Result<std::optional<Salvaged>> latest_state(const storage::LogSalvage& salvage, const std::string& file,
                                             const Limits& limits) {
  for (const auto& run : salvage.runs) {
    for (const auto& record : run) {
      if (auto known = check_type(record, limits); !known) return known.error();
    }
  }
  for (auto run = salvage.runs.rbegin(); run != salvage.runs.rend(); ++run) {
    storage::LogScan scan;
    scan.records = *run;
    for (int dropped = 0; dropped < kMostDropped && !scan.records.empty(); ++dropped) {
      auto state = replay(scan, limits);
      if (!state && state.error().code() != Errc::corrupt) return state.error();
      if (state && log_name(state->summary.id) == file) {
        return std::optional<Salvaged>(Salvaged(std::move(*state), scan.records.back().seq));
      }
      scan.records.pop_back();
    }
  }
  return std::optional<Salvaged>();
}

std::uint64_t writes_lost(const storage::LogSalvage& salvage, std::uint64_t state) {
  std::uint64_t last = state;
  for (const auto& run : salvage.runs)
    last = std::max(last, run.back().seq);
  return last - state + salvage.lost;
}

}  // namespace sessile::json_directory
