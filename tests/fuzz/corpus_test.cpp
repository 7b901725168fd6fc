// Every input of the corpus, and damaged ones made from it, through its target: what fuzzing found once is
// never broken again, also where there is no fuzzer.
#include "fuzz/targets.hpp"
#include "support/long_run.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

namespace fs = std::filesystem;
using sessile::fuzz::Target;

namespace {

std::vector<std::string> inputs_of(const Target& target) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(SESSILE_FUZZ_CORPUS) / target.name))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs;
  for (const fs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

/// A few bytes changed, put in, taken out or doubled.
std::string damaged(std::string input, std::mt19937_64& random) {
  const auto below = [&random](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  for (std::size_t left = 1 + below(4); left > 0; --left) {
    const std::size_t at = below(input.size() + 1);
    switch (below(4)) {
      case 0:
        input.insert(at, 1, static_cast<char>(random()));
        break;
      case 1:
        input.erase(at, 1 + below(8));
        break;
      case 2:
        if (at < input.size()) input[at] = static_cast<char>(random());
        break;
      default:
        input.insert(at, input.substr(below(input.size() + 1), below(32)));
        break;
    }
  }
  return input;
}

}  // namespace

TEST_CASE("every promise holds for every input of the corpus, and for damaged ones") {
  std::mt19937_64 random(sessile::testing::test_seed());
  for (const Target& target : sessile::fuzz::targets()) {
    INFO(target.name);
    const auto inputs = inputs_of(target);
    CHECK(inputs.size() >= 3);
    for (const std::string& input : inputs)
      target.run(input);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
    for (int i = 0; i < 500 && std::chrono::steady_clock::now() < end; ++i)
      target.run(damaged(inputs[random() % inputs.size()], random));
  }
}
