// The baseline of contention: an advisory flock on a sidecar, tried every 50 ms for at most 5 s, then a file
// written beside the old one, synced, and renamed over it.
#include "bench/engines/posix_file.hpp"

#include <sessile/json.hpp>

#include <fcntl.h>
#include <sys/file.h>

#include <chrono>
#include <thread>

namespace sessile::bench {

namespace {

constexpr std::chrono::milliseconds kPause{50};
constexpr std::chrono::seconds kLongestWait{5};

class Poll50Client final : public RivalClient {
 public:
  explicit Poll50Client(std::string root) : root_(std::move(root)) {}

  Result<void> save(const Session& session, Sync sync) override {
    auto lock = acquire(session.id);
    if (!lock) return lock.error();
    return write_and_rename(path_of(session.id), encode_session(session), sync);
  }

  Result<void> append(const SessionId& id, const Message& message, Sync sync) override {
    auto lock = acquire(id);
    if (!lock) return lock.error();
    auto session = read(id);
    if (!session) return session.error();
    session->add_message(message);
    return write_and_rename(path_of(id), encode_session(*session), sync);
  }

  Result<SessionPtr> load(const SessionId& id) override {
    auto session = read(id);
    if (!session) return session.error();
    return SessionPtr(std::make_shared<const Session>(std::move(*session)));
  }

  Result<std::vector<SessionPtr>> list_for_agent(const AgentId& agent) override {
    std::vector<SessionPtr> sessions;
    std::error_code fault;
    for (const auto& entry : std::filesystem::directory_iterator(root_, fault)) {
      if (entry.path().extension() != ".json") continue;
      auto session = load(SessionId(entry.path().stem().string()));
      if (!session) return session.error();
      if ((*session)->agent_id == agent) sessions.push_back(std::move(*session));
    }
    if (fault) return system_error("readdir", fault.value());
    return sessions;
  }

 private:
  std::string path_of(const SessionId& id) const { return root_ + "/" + id.str() + ".json"; }

  Result<Session> read(const SessionId& id) const {
    auto text = read_file(path_of(id));
    if (!text) return text.error();
    return decode_session(*text, Origin::stored);
  }

  Result<PosixFile> acquire(const SessionId& id) const {
    auto sidecar = PosixFile::open(path_of(id) + ".lock", O_RDWR | O_CREAT);
    if (!sidecar) return sidecar.error();
    const auto give_up = std::chrono::steady_clock::now() + kLongestWait;
    while (::flock(sidecar->get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return system_error("flock", errno);
      if (std::chrono::steady_clock::now() >= give_up)
        return Error(Errc::locked, "the lock was not had in 5 s");
      std::this_thread::sleep_for(kPause);
    }
    return std::move(*sidecar);
  }

  std::string root_;
};

class Poll50 final : public Rival {
 public:
  explicit Poll50(std::string root) : root_(std::move(root)) {}
  Result<std::unique_ptr<RivalClient>> connect() override {
    return std::unique_ptr<RivalClient>(std::make_unique<Poll50Client>(root_));
  }

 private:
  std::string root_;
};

}  // namespace

RivalKind poll50_kind() {
  RivalKind kind;
  kind.name = "poll50";
  kind.peer = false;
  kind.open = [](const std::filesystem::path& directory, Sync) -> Result<std::unique_ptr<Rival>> {
    return std::unique_ptr<Rival>(std::make_unique<Poll50>(directory.string()));
  };
  return kind;
}

}  // namespace sessile::bench
