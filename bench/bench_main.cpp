#include "bench/bench_main.hpp"

#include "bench/commands/commands.hpp"
#include "bench/measure/worker.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>

namespace sessile::bench {

namespace {

constexpr int kUsage = 2;

constexpr const char* kAbout =
    "Measures where the sessions of AI agents are kept: how fast, and how fair when several want one.\n"
    "\n"
    "It drives the public SessionStore, so every backend fits. It makes its own sessions, in a directory of\n"
    "its own under that of file: and jsondir: stores, and removes them. Times are those of the operation\n"
    "alone; failed ones are counted and never left out; max is the longest that was seen.";

constexpr const char* kExamples =
    "Examples:\n"
    "  sessile-bench save --store file:/tmp/bench\n"
    "      one writer, 16 KiB sessions, each synced before it is acknowledged\n"
    "  sessile-bench append --store jsondir:/tmp/bench --writers 16 --bytes 512 --seconds 10 --json\n"
    "  sessile-bench save --engine sqlite --store file:/tmp/bench\n"
    "      a rival: only the directory of the URL is used\n"
    "  sessile-bench contention --store file:/tmp/bench --engine sessile,poll50 --processes 1,2,4,8 \\\n"
    "      --repeat 5 --json > contention.jsonl\n"
    "      several processes, one session: who waits how long\n"
    "  sessile-bench takeover --store file:/tmp/bench --engine sessile,poll50,sqlite --processes 8\n"
    "      kill -9 of the holder of a lock: how soon the next one has it\n"
    "  sessile-bench compare --dir /tmp/bench\n"
    "      all engines of this build in turn, with ratios\n"
    "  sessile-bench report contention.jsonl --out report\n"
    "      an HTML page and SVG files\n"
    "\n"
    "`sessile-bench WORKLOAD --help` tells the options of each. docs/benchmarks.md tells what the figures "
    "mean.";

bool is_worker(int argc, char** argv) {
  return argc == 4 && std::string(argv[1]) == kWorkerArgument;
}

}  // namespace

int bench_main(int argc, char** argv) {
  if (is_worker(argc, argv)) return run_worker(argv[2], std::stoul(argv[3]));
  CLI::App app(kAbout, "sessile-bench");
  app.footer(kExamples);
  app.require_subcommand(1);
  int status = 0;
  add_workload_commands(app, status);
  add_contention_command(app, status);
  add_takeover_command(app, status);
  add_lock_command(app, status);
  add_compare_command(app, status);
  add_report_command(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sessile-bench: %s\n", error.what());
    return 1;
  }
  return status;
}

}  // namespace sessile::bench
