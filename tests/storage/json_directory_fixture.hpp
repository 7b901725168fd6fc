// A json_directory store on a file system whose calls can be failed.
#pragma once

#include "backends/json_directory/factory.hpp"
#include "faulty_file_system.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/backend.hpp>
#include <sessile/blocking.hpp>
#include <sessile/json_directory.hpp>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace sessile::json_directory::testing {

using storage::testing::Faults;
using storage::testing::os_error;
namespace errc = boost::system::errc;

class Fixture {
 public:
  Fixture() { reopen(); }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  /// Whatever calls failed: what is left is sound, unless the test damaged it itself.
  ~Fixture() noexcept(false) {
    if (damaged || std::uncaught_exceptions() > 0) return;
    sessile::testing::check_sound(
        "jsondir:" + root().string(),
        {FindingKind::torn, FindingKind::leftover, FindingKind::unsynced, FindingKind::stale_entry});
  }

  void reopen(OpenOptions options = OpenOptions()) {
    store = detail::make_json_directory_store_on(std::make_shared<storage::testing::FaultyFileSystem>(faults),
                                                 root(), LockOptions(), std::move(options), compaction)
                .value();
  }

  std::filesystem::path root() const { return place.path() / "store"; }
  std::filesystem::path log(const std::string& name) const { return root() / "sessions" / (name + ".jsonl"); }
  std::string content(const std::string& name) const {
    std::ifstream in(log(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  void put(const std::string& name, const std::string& bytes) {
    damaged = true;
    std::ofstream(log(name), std::ios::binary | std::ios::trunc) << bytes;
  }
  bool indexed(const std::string& agent, const std::string& name) const {
    return std::filesystem::exists(root() / "agents" / agent / name);
  }

  Result<Written> save(const Session& session, SaveOptions options = SaveOptions()) {
    return blocking::save(*store, session, options);
  }
  Result<Written> append(const std::string& id, const std::string& text,
                         AppendOptions options = AppendOptions()) {
    return blocking::append(*store, id, {Message("assistant", json::value(text))}, options);
  }
  Result<SessionPtr> load(const std::string& id) { return blocking::load(*store, id); }
  Page<SessionSummary> list(ListQuery query = ListQuery()) { return blocking::list(*store, query).value(); }
  Page<SessionSummary> list_agent(const std::string& agent) { return list(ListQuery().agent(agent)); }

  CompactionSettings compaction;  ///< of the stores opened from now on
  bool damaged = false;           ///< by the test, on purpose
  sessile::testing::TemporaryDirectory place;
  std::shared_ptr<Faults> faults = std::make_shared<Faults>();
  std::shared_ptr<SessionStore> store;
};

inline Session conversation(const std::string& id, const std::string& agent, int messages,
                            std::size_t size = 40) {
  Session session(id);
  session.set_agent(agent);
  for (int i = 0; i < messages; ++i) {
    session.add_message(i % 2 == 0 ? "user" : "assistant",
                        json::value("message " + std::to_string(i) + " " + std::string(size, 'm')));
  }
  return session;
}

}  // namespace sessile::json_directory::testing
