#include "second_process.hpp"

#include "command.hpp"

#include <sessile/conformance.hpp>

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

extern char** environ;  // POSIX declares it nowhere

namespace sessile::tools {
namespace {

constexpr const char* kName = "conformance-second-process";

Error system_failure(std::string_view what, int cause) {
  return Error(Errc::io, what).with_cause({cause, boost::system::system_category()});
}

Result<std::string> read_all(int descriptor) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("cannot read from the second process", errno);
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

// /proc/self/exe, so that it is the same program wherever it was started from.
Result<pid_t> start(const std::vector<std::string>& words, int output) {
  std::vector<char*> argv;
  for (const std::string& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return system_failure("cannot start the second process", failed);
  return child;
}

Result<void> wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return system_failure("cannot wait for the second process", errno);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kOk) return success();
  return Error(Errc::io,
               WIFEXITED(status)
                   ? "the second process ended with exit code " + std::to_string(WEXITSTATUS(status))
                   : "the second process was killed by signal " + std::to_string(WTERMSIG(status)));
}

}  // namespace

Result<std::string> run_second_process(const std::string& store_url, const std::string& durability,
                                       const std::string& command,
                                       const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"sessile", "--store", store_url};
  if (!durability.empty()) words.insert(words.end(), {"--durability", durability});
  words.insert(words.end(), {kName, "--", command});
  words.insert(words.end(), arguments.begin(), arguments.end());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("cannot make a pipe", errno);
  const Result<pid_t> child = start(words, ends[1]);
  ::close(ends[1]);
  if (!child) {
    ::close(ends[0]);
    return child.error();
  }
  Result<std::string> printed = read_all(ends[0]);
  ::close(ends[0]);
  const Result<void> ended = wait_for(*child);
  if (!ended) {
    printed.ignore();
    return ended.error();
  }
  return printed;
}

void add_second_process(CLI::App& app, Call& call) {
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand(kName)->group("");
  command->add_option("WORD", *words)->required();
  command->callback([&call, words] {
    call.action = [&call, words] {
      const std::vector<std::string> arguments(words->begin() + 1, words->end());
      const Result<std::string> printed =
          conformance::second_process_main(call.open(), words->front(), arguments);
      if (!printed) return call.fail(printed.error());
      print(*printed);
      return static_cast<int>(kOk);
    };
  });
}

}  // namespace sessile::tools
