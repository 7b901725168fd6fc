#include "bench/bench_main.hpp"

int main(int argc, char** argv) {
  return sessile::bench::bench_main(argc, argv);
}
