// [main]
#include "bench/bench_main.hpp"
#include "examples/tiny_backend.hpp"

int main(int argc, char** argv) {
  tiny::register_tiny().value();
  return sessile::bench::bench_main(argc, argv);
}
// [/main]
