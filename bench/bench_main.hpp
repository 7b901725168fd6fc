// The whole of sessile-bench as a function, for programs that bring a backend of their own.
#pragma once

namespace sessile::bench {

/// Runs the command line and returns the exit status: 0 ok, 1 something could not be measured, 2 usage.
///
/// To measure your own backend, link sessile_bench_core, and in main() register its scheme first:
///
///     int main(int argc, char** argv) {
///       sessile::register_scheme("mine", open_mine).value();
///       return sessile::bench::bench_main(argc, argv);
///     }
///
/// The benchmark starts this same program again for each of its processes: main() must do nothing else before
/// the call that it should not do in each of them.
int bench_main(int argc, char** argv);

}  // namespace sessile::bench
