// What can be had of a damaged log.
#pragma once

#include "records.hpp"
#include "storage/log_record.hpp"

#include <sessile/result.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace sessile::json_directory {

class Salvaged {
 public:
  Salvaged(Replayed state_, std::uint64_t seq_) : state(std::move(state_)), seq(seq_) {}
  Replayed state;
  std::uint64_t seq;  // of the last record that is in it
};

/// The latest state that the readable records of `file` add up to: that of the last run of them with a
/// snapshot. Empty when there is none. Errors: too_large, unsupported: of good records, so it is not for a
/// repair to drop them.
Result<std::optional<Salvaged>> latest_state(const storage::LogSalvage& salvage, const std::string& file,
                                             const Limits& limits);

/// How many writes behind `state` may have been acknowledged: the numbers of the records tell, but for those
/// of which nothing is left.
std::uint64_t writes_lost(const storage::LogSalvage& salvage, std::uint64_t state);

}  // namespace sessile::json_directory
