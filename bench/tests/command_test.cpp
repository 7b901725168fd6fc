// sessile-bench as a user calls it: each workload once, for a moment, so that none rots. No speed is
// asserted.
#include <sessile/json.hpp>
#include <sessile/open.hpp>

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace sessile;
namespace fs = std::filesystem;

namespace {

class Finished {
 public:
  int status = -1;
  std::string output;
  std::vector<json::object> lines() const {
    std::vector<json::object> objects;
    std::istringstream in(output);
    for (std::string line; std::getline(in, line);) {
      objects.push_back(parse_json(line, Origin::stored).value().as_object());
    }
    return objects;
  }
};

Finished bench(const std::string& arguments) {
  Finished finished;
  const std::string command = std::string(SESSILE_BENCH_COMMAND) + ' ' + arguments;
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe))
    finished.output.append(buffer, n);
  const int status = ::pclose(pipe);
  finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return finished;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (fs::temp_directory_path() / "sessile-bench-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }
  bool is_empty() const { return fs::is_empty(path_); }

 private:
  fs::path path_;
};

bool knows(const std::string& scheme) {
  const auto schemes = registered_schemes();
  return std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
}

/// The members that every line is promised to have.
void check_line(const json::object& line, const std::string& workload) {
  for (const char* member :
       {"engine", "workload", "writers", "processes", "bytes", "ops_per_s", "p50_us", "p99_us", "p999_us",
        "max_us", "failed", "jain", "store", "seconds", "durability", "environment"}) {
    CHECK_MESSAGE(line.contains(member), "no " << member);
  }
  CHECK(std::string(line.at("workload").as_string()) == workload);
  CHECK(line.at("failed").to_number<int>() == 0);
  CHECK(line.at("failed_warm_up").to_number<int>() == 0);
  // Within the window a busy machine may finish nothing.
  CHECK(line.at("operations").to_number<int>() >= 0);
  if (line.at("operations").to_number<int>() > 0) CHECK(line.at("max_us").to_number<double>() > 0);
  CHECK(line.at("p50_us").to_number<double>() <= line.at("p999_us").to_number<double>());
  CHECK(line.at("p999_us").to_number<double>() <= line.at("max_us").to_number<double>());
  CHECK(line.at("jain").to_number<double>() > 0);
  CHECK(line.at("jain").to_number<double>() <= 1);
  const auto& environment = line.at("environment").as_object();
  for (const char* member :
       {"kernel", "cpus", "filesystem", "compiler", "build_type", "commit", "versions"}) {
    CHECK_MESSAGE(environment.contains(member), "no environment." << member);
  }
}

constexpr const char* kBrief = " --seconds 0.2 --warm-up 0.05 --json ";

std::size_t shared_memories() {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/dev/shm")) {
    if (entry.path().filename().string().starts_with("sessile-bench-")) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("each workload runs on memory: and prints one line with all members") {
  for (const std::string workload : {"save", "same", "append", "load", "list_for_agent"}) {
    CAPTURE(workload);
    const std::string few = workload == "list_for_agent" ? " --sessions 200" : "";
    const auto finished = bench(workload + " --store memory: --writers 3" + few + kBrief);
    CHECK(finished.status == 0);
    const auto lines = finished.lines();
    REQUIRE(lines.size() == 1);
    check_line(lines[0], workload);
    CHECK(lines[0].at("backend").as_string().subview() == "memory");
    CHECK(lines[0].at("writers").to_number<int>() == 3);
  }
}

TEST_CASE("contention measures every cell of the grid, with reads among the writes and a timeline") {
  const auto finished =
      bench(std::string("contention --store memory: --processes 1 --writers 1,4 --sessions 1,3 "
                        "--reads 50 --think-time 10us --timeline 20 --repeat 2") +
            kBrief);
  CHECK(finished.status == 0);
  const auto lines = finished.lines();
  REQUIRE(lines.size() == 4);
  for (const auto& line : lines) {
    check_line(line, "contention");
    CHECK(line.at("runs").as_array().size() == 2);
    CHECK(line.at("read_latency").at("count").to_number<int>() > 0);
    CHECK(line.at("write_latency").at("count").to_number<int>() > 0);
    CHECK(line.at("timeline").as_array().size() > 0);
  }
}

TEST_CASE("what is known of locks is told, and null where it is not") {
  const TemporaryDirectory place;
  const std::vector<std::string> members = {"locks_from", "wait",         "hold",       "handover",
                                            "wasted_us",  "wasted_share", "held_share", "overtakings"};
  const auto finished = bench("contention --store file:" + place.path() + " --store jsondir:" + place.path() +
                              " --engine sessile,poll50 --processes 2 --timeline 10" + kBrief);
  REQUIRE(finished.status == 0);
  REQUIRE(finished.lines().size() == 3);
  for (const auto& line : finished.lines()) {
    CAPTURE(std::string(line.at("label").as_string()));
    CHECK(line.at("locks_from").as_string().subview() == "events");
    // One lock an operation of those that ended after the window's beginning.
    CHECK(line.at("hold").at("count").to_number<int>() > 0);
    CHECK(line.at("wait").at("max_us").to_number<double>() <= line.at("max_us").to_number<double>());
    CHECK(line.at("hold").at("max_us").to_number<double>() <= line.at("max_us").to_number<double>());
    CHECK(line.at("wasted_share").to_number<double>() + line.at("held_share").to_number<double>() <= 1.001);
    CHECK(line.at("holders").as_array().size() > 0);
  }
  const auto unknown = bench(std::string("contention --store memory: --processes 1") + kBrief).lines();
  REQUIRE(unknown.size() == 1);
  for (const auto& member : members)
    CHECK_MESSAGE(unknown[0].at(member).is_null(), member);
  // A store that tells nothing, and runs each mutation once: as one writer of memory: does.
  const auto outside =
      bench(std::string("contention --store memory: --processes 1 --operation update") + kBrief).lines();
  REQUIRE(outside.size() == 1);
  CHECK(outside[0].at("locks_from").as_string().subview() == "mutations");
  CHECK(outside[0].at("hold").at("count").to_number<int>() > 0);
  CHECK(outside[0].at("wasted_share").is_null());
}

TEST_CASE("a killed holder's lock is taken over, and nothing is torn") {
  const TemporaryDirectory place;
  const auto finished = bench("takeover --store file:" + place.path() + " --store jsondir:" + place.path() +
                              " --engine sessile,poll50 --processes 3 --kills 1 --kills-writing 1 --json");
  CHECK(finished.status == 0);
  REQUIRE(finished.lines().size() == 3);
  for (const auto& line : finished.lines()) {
    CHECK(line.at("workload").as_string().subview() == "takeover");
    CHECK(line.at("p50_us").to_number<double>() > 0);
    CHECK(line.at("all_served").at("max_us").to_number<double>() >= line.at("p50_us").to_number<double>());
    CHECK(line.at("torn").to_number<int>() == 0);
    CHECK(line.at("failed").to_number<int>() == 0);
    // Both who waited, and what was written in the other round.
    CHECK(line.at("operations").to_number<int>() > 2);
  }
  CHECK(place.is_empty());
  CHECK(bench("takeover --store memory: --kills 1 2> /dev/null").status == 1);
}

TEST_CASE("the cost of a lock is told beside the bare system calls") {
  const TemporaryDirectory place;
  const auto finished = bench("lock --store file:" + place.path() + " --times 20 --repeat 2 --json");
  CHECK(finished.status == 0);
  REQUIRE(finished.lines().size() == 12);
  for (const auto& line : finished.lines()) {
    CHECK(line.at("mean_us").to_number<double>() > 0);
    CHECK(line.at("ratios").at("bare").to_number<double>() > 0);
  }
  CHECK(place.is_empty());
}

TEST_CASE("several processes share a directory, whose traces are removed") {
  const TemporaryDirectory place;
  const auto engine = knows("file") ? "sessile,poll50" : "poll50";
  const auto finished = bench("contention --store file:" + place.path() + "/new --engine " + engine +
                              " --processes 2 --writers 2" + kBrief);
  CHECK(finished.status == 0);
  for (const auto& line : finished.lines()) {
    check_line(line, "contention");
    CHECK(line.at("processes").to_number<int>() == 2);
  }
  CHECK(place.is_empty());
}

TEST_CASE("every engine of this build runs in compare, and the table keeps all of them") {
  const TemporaryDirectory place;
  const std::string arguments = "compare --dir " + place.path() +
                                " --store memory: --writers 2 --repeat 1 --sessions 200 --seconds 0.1 "
                                "--warm-up 0.02 --drive threads,pool";
  const auto finished = bench(arguments + " --json");
  CHECK(finished.status == 0);
  const auto lines = finished.lines();
  CHECK(lines.size() >= 8);
  bool any = false;
  for (const auto& line : lines) {
    check_line(line, std::string(line.at("workload").as_string()));
    any = any || line.at("operations").to_number<int>() > 0;
  }
  CHECK(any);
  const auto table = bench(arguments + " --workloads save");
  CHECK(table.status == 0);
  for (const auto& line : lines) {
    CHECK(table.output.find(std::string(line.at("label").as_string())) != std::string::npos);
  }
  CHECK(table.output.find("× floor") != std::string::npos);
  CHECK(place.is_empty());
}

TEST_CASE("report draws a page and pictures from the lines") {
  const TemporaryDirectory place;
  const std::string results = place.path() + "/results.jsonl";
  REQUIRE(bench(std::string("contention --store memory: --processes 1 --writers 4 --timeline 50") + kBrief +
                "> " + results)
              .status == 0);
  REQUIRE(bench("contention --store file:" + place.path() + "/d --processes 1,2 --timeline 20" + kBrief +
                ">> " + results)
              .status == 0);
  REQUIRE(
      bench("takeover --store file:" + place.path() + "/d --kills 1 --kills-writing 0 --json >> " + results)
          .status == 0);
  REQUIRE(
      bench("lock --store file:" + place.path() + "/d --times 5 --repeat 1 --json >> " + results).status ==
      0);
  const auto finished = bench("report " + results + " --out " + place.path() + "/report 2>&1");
  if (std::system("command -v gnuplot > /dev/null") != 0) {
    CHECK(finished.status == 1);
    CHECK(finished.output.find("install gnuplot") != std::string::npos);
    MESSAGE("skipped: the pictures, as there is no gnuplot");
    return;
  }
  CHECK(finished.status == 0);
  for (const char* name : {"waits.svg", "fairness.svg", "wasted-2.svg", "throughput-2.svg", "timeline-1.svg",
                           "timeline-3.svg", "takeover.svg", "index.html"}) {
    CHECK_MESSAGE(fs::file_size(place.path() + "/report/" + name) > 1000, name);
  }
  std::ifstream page(place.path() + "/report/index.html");
  std::stringstream text;
  text << page.rdbuf();
  CHECK(text.str().find("<svg") != std::string::npos);
  CHECK(text.str().find("Killed while holding the lock") != std::string::npos);
  CHECK(text.str().find("A lock nobody else wants") != std::string::npos);
  CHECK(text.str().find("src=") == std::string::npos);
  CHECK(text.str().find("href=\"http") == std::string::npos);
}

TEST_CASE("what cannot be measured is said, with an exit status") {
  CHECK(bench("save --store memory: --processes 2 --seconds 0.1 2> /dev/null").status == 1);
  CHECK(bench("save --store nosuch: --seconds 0.1 2> /dev/null").status == 1);
  CHECK(bench("save --engine floor --store memory: 2> /dev/null").status == 2);
  CHECK(bench("nonsense 2> /dev/null").status == 2);
  CHECK(bench("save 2> /dev/null").status == 2);
  CHECK(bench("report /nonexistent 2> /dev/null").status == 1);
  CHECK(bench("--help > /dev/null").status == 0);
}

TEST_CASE("an interrupted run leaves no directory, no shared memory and no process behind") {
  const TemporaryDirectory place;
  const auto before = shared_memories();
  const std::string directory = "file:" + place.path();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::execl(SESSILE_BENCH_COMMAND, "sessile-bench", "contention", "--engine", "floor", "--store",
            directory.c_str(), "--processes", "2", "--seconds", "600", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  for (int i = 0; i < 3000 && place.is_empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK_FALSE(place.is_empty());
  ::kill(child, SIGINT);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(place.is_empty());
  CHECK(shared_memories() == before);
}
