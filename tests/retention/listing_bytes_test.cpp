// What a listing reads of each session (O9): counted below the store, at the file system.
#include "backends/filesystem/store.hpp"
#include "backends/json_directory/factory.hpp"
#include "storage/faulty_file_system.hpp"
#include "support/run.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>

using namespace sessile;
using sessile::testing::run;

namespace {

constexpr int kSessions = 20;

using Open = StorePtr(std::shared_ptr<storage::FileSystem>, std::filesystem::path);

StorePtr open_filesystem(std::shared_ptr<storage::FileSystem> files, std::filesystem::path place) {
  return std::make_shared<filesystem::FilesystemStore>(files, place, LockOptions(), OpenOptions());
}

StorePtr open_json_directory(std::shared_ptr<storage::FileSystem> files, std::filesystem::path place) {
  return detail::make_json_directory_store_on(files, place, LockOptions(), OpenOptions()).value();
}

/// Bytes read by one listing, by a handle that has not seen the files before, of sessions with so many bytes
/// of messages each.
std::uint64_t bytes_of_listing(Open* open_store_on, std::size_t message_bytes) {
  const sessile::testing::TemporaryDirectory place;
  auto faults = std::make_shared<storage::testing::Faults>();
  const auto files = std::make_shared<storage::testing::FaultyFileSystem>(faults);
  const auto open = [&] { return open_store_on(files, place.path()); };
  const auto writer = open();
  for (int i = 0; i < kSessions; ++i) {
    Session session("session-" + std::to_string(i));
    session.set_user("ann").add_message("user", "What is the tide at noon?");
    for (int message = 0; message < 8; ++message)
      session.add_message("assistant", json::value(std::string(message_bytes / 8, 'x')));
    run(writer->save(session)).value();
  }
  run(writer->close()).value();
  const auto reader = open();
  faults->bytes_read = 0;
  const auto page = run(reader->list()).value();
  const std::uint64_t bytes = faults->bytes_read;
  REQUIRE(page.items.size() == kSessions);
  CHECK(page.items[0].title == "What is the tide at noon?");
  CHECK(page.items[0].message_count == 9);
  CHECK(page.items[0].user_id == "ann");
  run(reader->close()).value();
  return bytes;
}

void check_listing(Open* open_store_on) {
  const std::uint64_t small = bytes_of_listing(open_store_on, std::size_t{64} << 10);
  const std::uint64_t large = bytes_of_listing(open_store_on, std::size_t{1} << 20);
  MESSAGE("bytes read for a session: ", small / kSessions, " of 64 KiB, ", large / kSessions, " of 1 MiB");
  CHECK(large <= small + kSessions * 64);
  CHECK(large < kSessions * (std::uint64_t{32} << 10));
}

}  // namespace

TEST_CASE("O9 the bytes that a listing reads do not grow with the sessions, in file:") {
  check_listing(open_filesystem);
}

TEST_CASE("O9 the bytes that a listing reads do not grow with the sessions, in jsondir:") {
  check_listing(open_json_directory);
}
