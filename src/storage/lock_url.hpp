// The lock's parameters in a store's URL.
#pragma once

#include <sessile/lock_options.hpp>
#include <sessile/open.hpp>

namespace sessile::storage {

/// Takes `lock=auto|ofd|interprocess|flock`, `lock_timeout=500ms|5s|2m` and
/// `waiting=notify|backoff|poll:50ms` out of `parameters` into `options`. Errors: invalid_argument.
Result<void> apply_lock_parameters(UrlParameters& parameters, LockOptions& options);

}  // namespace sessile::storage
