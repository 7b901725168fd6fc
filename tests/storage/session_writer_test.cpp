// What one writer of a session's log leaves for the next one of its process.
#include "json_directory_fixture.hpp"

#include "backends/json_directory/session_log.hpp"

#include <doctest/doctest.h>

namespace sessile::json_directory {
namespace {

using testing::conversation;
using testing::Fixture;

}  // namespace

TEST_CASE("An update that was cancelled between its halves leaves nothing that overlooks a later record") {
  // Of another process, as far as what is remembered goes: its file system is its own.
  Fixture theirs;
  REQUIRE(theirs.save(conversation("s", "a", 0)));
  REQUIRE(theirs.append("s", "before"));
  Layout layout(storage::real_file_system(), theirs.root(), MissingPlace::refuse);
  const auto place = layout.open_to_write().value();
  const Stamper stamper(OpenOptions().clock());
  const Limits limits;
  {
    // The lock is let go when the operation is cancelled, the writer after that.
    SessionWriter cancelled(*place, SessionId("s"), stamper, limits);
    REQUIRE(cancelled.begin_update(UpdateOptions()));
    REQUIRE(theirs.append("s", "acknowledged"));
  }
  const auto ours = make_json_directory_store(theirs.root()).value();
  REQUIRE(blocking::append(*ours, "s", {Message("assistant", json::value("ours"))}));
  theirs.reopen();
  std::vector<std::string> texts;
  for (const Message& message : theirs.load("s").value()->messages)
    texts.emplace_back(message.content.get_string());
  CHECK(texts == std::vector<std::string>{"before", "acknowledged", "ours"});
}

}  // namespace sessile::json_directory
