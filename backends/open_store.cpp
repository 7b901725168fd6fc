#include "filesystem/factory.hpp"
#include "json_directory/factory.hpp"
#include "memory/factory.hpp"
#include "registry.hpp"

namespace sessile {

void detail::register_built_in_schemes() {
  add_scheme("file", open_filesystem_url).value();
  add_scheme("jsondir", open_json_directory_url).value();
  add_scheme("memory", open_memory_url).value();
}

}  // namespace sessile
