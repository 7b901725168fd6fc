#pragma once

#include <sessile/open.hpp>

namespace sessile::detail {

/// Opens `file:DIR?lock=…&lock_timeout=…&waiting=…`. Does no I/O. Errors: invalid_argument, unsupported.
Result<std::shared_ptr<SessionStore>> open_filesystem_url(StoreUrl url, OpenOptions options);

}  // namespace sessile::detail
