#include "linearizability/recorder.hpp"
#include "support/forked.hpp"

#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace sessile::linearizability {
namespace {

using testing::Forked;
using testing::SharedBarrier;

std::filesystem::path journal_path(const std::filesystem::path& directory, int process) {
  return directory / ("journal-" + std::to_string(process));
}

int run_one(const Round& round, int process, const std::filesystem::path& path, SharedBarrier& start) {
  const int journal = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) return 8;
  start.wait();
  record_process(round, process, journal);
  return 0;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

History record(const Round& round, const std::filesystem::path& directory) {
  SharedBarrier start(static_cast<unsigned>(round.processes) + 1);
  std::vector<Forked> children;
  for (int i = 0; i < round.processes; ++i) {
    const auto path = journal_path(directory, i);
    children.emplace_back([&round, i, &path, &start] { return run_one(round, i, path, start); });
  }
  start.wait();
  if (round.kill_one) {
    std::mt19937 random(static_cast<std::uint32_t>(round.seed));
    ::usleep(std::uniform_int_distribution<useconds_t>(0, 12'000)(random));
    children.back().kill();
  }
  History history;
  for (int i = 0; i < round.processes; ++i) {
    const int status = children[static_cast<std::size_t>(i)].wait();
    const bool killed = round.kill_one && i == round.processes - 1;
    if (status != 0 && !killed) {
      throw std::runtime_error("process " + std::to_string(i) + " ended with " + std::to_string(status));
    }
    const History part = read_journal(read(journal_path(directory, i)));
    history.insert(history.end(), part.begin(), part.end());
  }
  return history;
}

}  // namespace sessile::linearizability
