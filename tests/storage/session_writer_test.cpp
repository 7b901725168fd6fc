// What one writer of a session's log leaves for the next one of its process.
#include "backends/json_directory/layout.hpp"
#include "backends/json_directory/log_reading.hpp"
#include "backends/json_directory/session_log.hpp"
#include "faulty_file_system.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/json.hpp>

#include <doctest/doctest.h>

using namespace sessile;
using namespace sessile::json_directory;

namespace {

/// A process's view of the one directory. The memory of what is known is its own, as its file system is.
class Process {
 public:
  explicit Process(const std::filesystem::path& directory)
      : layout_(std::make_shared<storage::testing::FaultyFileSystem>(
                    std::make_shared<storage::testing::Faults>()),
                directory, MissingPlace::create),
        place_(layout_.open_to_write().value()) {}

  SessionWriter writer() { return SessionWriter(*place_, SessionId("s"), stamper_, Limits()); }
  Result<Written> save() {
    Session session = Session(SessionId("s")).set_agent("a");
    session.stored_bytes = measure(session, Limits()).value();
    storage::CommitGate gate;
    SaveOptions options;
    options.durability(Durability::process).measured_bytes(session.stored_bytes);
    return writer().save(std::make_shared<const Session>(std::move(session)), options, gate);
  }
  Result<Written> append(const std::string& text) {
    const auto added =
        std::make_shared<const std::vector<Message>>(1, Message("assistant", json::value(text)));
    storage::CommitGate gate;
    AppendOptions options;
    options.durability(Durability::process).measured_bytes(measure(added->front(), Limits()).value());
    return writer().append(added, options, gate);
  }
  std::vector<std::string> stored() {
    LogCache nothing;
    const auto session = read_session(*place_->sessions, nothing, SessionId("s"), Limits()).value();
    std::vector<std::string> texts;
    for (const Message& message : session->messages)
      texts.emplace_back(message.content.get_string());
    return texts;
  }

 private:
  Layout layout_;
  std::shared_ptr<const Place> place_;
  const Stamper stamper_{OpenOptions().clock()};
};

}  // namespace

TEST_CASE("An update that was cancelled between its halves leaves nothing that overlooks a later record") {
  using Texts = std::vector<std::string>;
  const sessile::testing::TemporaryDirectory directory;
  Process ours(directory.path() / "store");
  Process theirs(directory.path() / "store");
  REQUIRE(theirs.save());
  REQUIRE(theirs.append("before"));
  {
    // The lock is let go when the operation is cancelled, the writer after that.
    SessionWriter cancelled = ours.writer();
    REQUIRE(cancelled.begin_update(UpdateOptions()));
    REQUIRE(theirs.append("acknowledged"));
  }
  REQUIRE(ours.append("ours"));
  CHECK(ours.stored() == Texts{"before", "acknowledged", "ours"});
}
