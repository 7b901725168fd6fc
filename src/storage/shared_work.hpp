// Blocking work of many parts that do not depend on each other, done on several threads of a pool.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <functional>

namespace sessile::storage {

namespace asio = boost::asio;

/// How many threads beside the caller's are worth asking to help with so many parts, each of which takes
/// longer than a thread takes to wake up. Few at most: others have work for the pool too.
std::size_t helpers_for(std::size_t parts) noexcept;

/// Calls `part(i)` once for each `i` below `parts`, in no order, on this thread and on up to `helpers`
/// threads of `pool`. Returns when no call is running any more. A call that returns false or throws keeps
/// those that have not begun from beginning; what was thrown first is thrown here.
///
/// It may be called on a thread of `pool`, since it never waits for one to be free: whoever comes too late to
/// help finds that there is nothing to do, and touches nothing of the caller's.
void share_out(const asio::any_io_executor& pool, std::size_t helpers, std::size_t parts,
               const std::function<bool(std::size_t)>& part);

}  // namespace sessile::storage
