#include <sessile/conformance.hpp>
#include <sessile/sessile.hpp>
#ifdef HAS_POSTGRES
#include <sessile/postgres.hpp>
#endif

#include <iostream>

int main() {
  const auto store = sessile::open_store("memory:").value();
  sessile::blocking::save(*store, sessile::Session("hello").add_message("user", "hi")).value();
  const auto loaded = sessile::blocking::load(*store, "hello").value();
  std::cout << loaded->messages.size() << " message, " << sessile::conformance::behaviours().size()
            << " behaviours\n";
#ifdef HAS_POSTGRES
  sessile::register_postgres().value();
  std::cout << sessile::open_store("postgres://host/database").value()->capabilities().backend
            << " is linked\n";
#endif
  return loaded->messages.size() == 1 ? 0 : 1;
}
