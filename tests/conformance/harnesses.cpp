#include "conformance/harnesses.hpp"

#include <sessile/backend.hpp>
#include <sessile/memory.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace sessile::conformance {
namespace {

constexpr const char* kSecondProcess = "--second-process";

/// The regular files that hold the session: named `name` or `name.…`, and no lock.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& dir, const SessionId& id) {
  const std::string name = file_name(id.str());
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    const std::string file = entry.path().filename().string();
    const bool named = file == name || file.starts_with(name + ".");
    if (named && entry.is_regular_file() && !file.ends_with(".lock")) files.push_back(entry.path());
  }
  return files;
}

Result<void> write_garbage(const std::filesystem::path& dir, const SessionId& id) {
  const auto files = files_of(dir, id);
  if (files.empty()) return Error(Errc::not_found, "no file is named after the id");
  for (const auto& file : files) {
    if (std::filesystem::file_size(file) == 0) continue;  // an index entry, which has nothing to damage
    std::ofstream(file, std::ios::trunc) << "{\"this is\": garbage, \x01\xff";
  }
  return success();
}

Result<void> remove_files(const std::filesystem::path& dir, const SessionId& id) {
  for (const auto& file : files_of(dir, id))
    std::filesystem::remove(file);
  return success();
}

Error os_error(std::string_view what, int code) {
  return Error(Errc::io, what).with_cause(boost::system::error_code(code, boost::system::system_category()));
}

/// What `descriptor` yields until its other end is closed.
std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EINTR)) return text;
  }
}

/// Runs this program again, and returns what it printed. Not fork: other threads are running.
Result<std::string> run_myself(std::vector<std::string> arguments) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return os_error("pipe2", errno);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::vector<char*> argv;
  for (std::string& argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  const std::string output = failed ? std::string() : read_all(ends[0]);
  ::close(ends[0]);
  if (failed) return os_error("posix_spawn", failed);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return Error(Errc::io, "the second process failed: " + output);
  return output;
}

}  // namespace

Harness memory_harness() {
  Harness harness;
  harness.open = [](OpenOptions options) { return make_memory_store(std::move(options)); };
  return harness;
}

Harness shared_harness(std::string url) {
  Harness harness;
  harness.open = [url](OpenOptions options) { return open_store(url, std::move(options)); };
  harness.reopen = harness.open;  // each handle has only what is stored
  harness.second_process = [url](std::string command, std::vector<std::string> arguments) {
    std::vector<std::string> argv = {"second-process", kSecondProcess, url, std::move(command)};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_myself(std::move(argv));
  };
  return harness;
}

Harness url_harness(std::string url, std::filesystem::path dir) {
  Harness harness = shared_harness(std::move(url));
  harness.corrupt = [dir](SessionId id) { return write_garbage(dir, id); };
  harness.discard = [dir](SessionId id) { return remove_files(dir, id); };
  return harness;
}

bool run_as_second_process(int argc, char** argv, int& exit_code) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (arguments.size() < 4 || arguments[1] != kSecondProcess) return false;
  exit_code = 1;
  Result<StorePtr> store = open_store(arguments[2]);
  if (!store) {
    std::cout << store.error().message();
    return true;
  }
  const Result<std::string> output = second_process_main(
      *store, arguments[3], std::vector<std::string>(arguments.begin() + 4, arguments.end()));
  std::cout << (output ? *output : output.error().message());
  exit_code = output ? 0 : 1;
  return true;
}

FreshDirectory::FreshDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sessile-conformance-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

FreshDirectory::~FreshDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void check_conformance(const Harness& harness, const std::vector<std::string>& may_skip) {
  std::size_t passed = 0;
  const auto progress = [&](const Report& report) {
    if (report.outcome == Outcome::passed) {
      ++passed;
      return;
    }
    const bool skipped = report.outcome == Outcome::skipped;
    std::cout << (skipped ? "skipped " : "FAILED  ") << report.slug << ": " << report.reason << std::endl;
    const bool allowed =
        skipped && std::any_of(may_skip.begin(), may_skip.end(),
                               [&](const std::string& reason) { return report.reason.starts_with(reason); });
    CHECK_MESSAGE(allowed, report.slug, ": ", report.reason);
  };
  const std::vector<Report> reports = run_all(harness, progress);
  std::cout << passed << " of " << reports.size() << " behaviours passed" << std::endl;
  CHECK(reports.size() == behaviours().size());
}

}  // namespace sessile::conformance
