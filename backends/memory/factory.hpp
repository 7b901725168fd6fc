#pragma once

#include <sessile/open.hpp>

namespace sessile::detail {

/// Opens `memory:`. Errors: invalid_argument, unsupported.
Result<std::shared_ptr<SessionStore>> open_memory_url(StoreUrl url, OpenOptions options);

}  // namespace sessile::detail
