// What is known of a stored session without reading it, and what a save changes in it.
#pragma once

#include <sessile/backend.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sessile::json_directory {

/// A stored session as the values that this process wrote or read. Cheap to extend.
class KnownContent {
 public:
  KnownContent() {}
  /// Null: nothing is known. Its revision and times need not be the stored ones.
  SessionPtr base;
  /// What was appended to it since.
  std::vector<std::shared_ptr<const std::vector<Message>>> more;

  std::size_t message_count() const noexcept;
  /// True when a message of this role is in it.
  bool has_role(std::string_view role) const noexcept;
  /// All of it in one value, stamped as `stored` says. Precondition: base is set.
  Session assembled(const SessionSummary& stored) const;
};

/// The members of a patch's body that makes `after`, stamped `stamp`, of `before`, whose summary is `stored`;
/// each begins with a comma. Empty when no patch can: messages or steps changed other than by new ones at the
/// end. Precondition: before.base is set.
std::optional<std::string> change_between(const KnownContent& before, const SessionSummary& stored,
                                          const Session& after, const Written& stamp);

}  // namespace sessile::json_directory
