// The schemes that others registered.
#pragma once

#include <sessile/open.hpp>

namespace sessile::detail {

/// Empty when nobody registered `scheme`. Thread-safe.
StoreFactory registered_factory(const std::string& scheme);

/// Registers the schemes that come with the library; called before the registry is looked at. Defined beside
/// the backends, which the core does not know.
void register_built_in_schemes();

/// As register_scheme, for the built-in ones: does not ask for them to be registered first.
Result<void> add_scheme(std::string scheme, StoreFactory factory);

}  // namespace sessile::detail
