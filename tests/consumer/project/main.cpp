#include <sessile/conformance.hpp>
#include <sessile/sessile.hpp>

#include <iostream>

int main() {
  const auto store = sessile::open_store("memory:").value();
  sessile::blocking::save(*store, sessile::Session("hello").add_message("user", "hi")).value();
  const auto loaded = sessile::blocking::load(*store, "hello").value();
  std::cout << loaded->messages.size() << " message, " << sessile::conformance::behaviours().size()
            << " behaviours\n";
  return loaded->messages.size() == 1 ? 0 : 1;
}
