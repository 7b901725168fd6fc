#include "backends/json_directory/log_reading.hpp"
#include "storage/file_system.hpp"

#include <sessile/blocking.hpp>
#include <sessile/json_directory.hpp>

#include <benchmark/benchmark.h>

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace sessile::bench {

namespace {

using json_directory::LogCache;

constexpr std::size_t kMessageBytes = 512;

/// A directory with one session of about so many bytes.
class Place {
 public:
  explicit Place(std::size_t bytes) {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
    auto store = make_json_directory_store(path_, LockOptions(), OpenOptions()).value();
    Session session("s");
    for (std::size_t i = 0; i < bytes / kMessageBytes; ++i)
      session.add_message(i % 2 == 0 ? "user" : "assistant",
                          json::value(std::string(kMessageBytes - 80, 'm')));
    if (!blocking::save(*store, session)) std::abort();
    sessions = storage::real_file_system()->open_directory(path_ + "/sessions").value();
  }
  ~Place() { std::filesystem::remove_all(path_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::shared_ptr<storage::Directory> sessions;

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "sessile-micro-XXXXXX").string();
};

/// The first load of a process, its file in the page cache: all of the session, and its last 20 messages.
void first_load(benchmark::State& state) {
  const Place place(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    LogCache nothing_known;
    benchmark::DoNotOptimize(
        json_directory::read_session(*place.sessions, nothing_known, SessionId("s"), Limits()).value());
  }
}
BENCHMARK(first_load)->ArgName("bytes")->Arg(1 << 20)->Arg(10 << 20)->Unit(benchmark::kMicrosecond);

void first_load_of_the_last(benchmark::State& state) {
  const Place place(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    LogCache nothing_known;
    benchmark::DoNotOptimize(
        json_directory::read_session(*place.sessions, nothing_known, SessionId("s"), Limits(), 20).value());
  }
}
BENCHMARK(first_load_of_the_last)
    ->ArgName("bytes")
    ->Arg(1 << 20)
    ->Arg(10 << 20)
    ->Unit(benchmark::kMicrosecond);

}  // namespace

}  // namespace sessile::bench
