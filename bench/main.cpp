#include "bench/bench_main.hpp"

#ifdef SESSILE_HAS_POSTGRES
#include <sessile/postgres.hpp>
#endif

int main(int argc, char** argv) {
#ifdef SESSILE_HAS_POSTGRES
  sessile::register_postgres().value();
#endif
  return sessile::bench::bench_main(argc, argv);
}
