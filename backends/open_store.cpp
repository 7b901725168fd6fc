#include "memory/factory.hpp"
#include "registry.hpp"

namespace sessile {

void detail::register_built_in_schemes() {
  add_scheme("memory", open_memory_url).value();
}

}  // namespace sessile
