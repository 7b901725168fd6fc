// The baseline of contention: an advisory flock on a sidecar, tried every 50 ms for at most 5 s, then a file
// written beside the old one, synced, and renamed over it.
#include "bench/engines/posix_file.hpp"
#include "storage/lock_watch.hpp"

#include <sessile/json.hpp>

#include <fcntl.h>
#include <sys/file.h>

#include <chrono>
#include <thread>

namespace sessile::bench {

namespace {

constexpr std::chrono::milliseconds kPause{50};
constexpr std::chrono::seconds kLongestWait{5};

/// A sidecar's lock: freed, and told of, when it goes.
class HeldSidecar {
 public:
  explicit HeldSidecar(storage::LockWatch watch, PosixFile file)
      : watch_(std::move(watch)), file_(std::move(file)) {}

 private:
  storage::LockWatch watch_;
  PosixFile file_;  // after `watch_`: free by the time that is told
};

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

  Result<void> hold(const SessionId& id, const std::function<void()>& work) override {
    auto lock = acquire(id);
    if (!lock) return lock.error();
    work();
    return success();
  }

  void observe_locks(LockObserver observer) override {
    observer_ = std::make_shared<const LockObserver>(std::move(observer));
  }

 private:
  std::string path_of(const SessionId& id) const { return root_ + "/" + id.str() + ".json"; }

  Result<Session> read(const SessionId& id) const {
    auto text = read_file(path_of(id));
    if (!text) return text.error();
    return decode_session(*text, Origin::stored);
  }

  Result<HeldSidecar> acquire(const SessionId& id) const {
    storage::LockWatch watch(observer_, id.str());
    auto sidecar = PosixFile::open(path_of(id) + ".lock", O_RDWR | O_CREAT);
    if (!sidecar) return sidecar.error();
    const auto give_up = std::chrono::steady_clock::now() + kLongestWait;
    while (::flock(sidecar->get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return system_error("flock", errno);
      if (std::chrono::steady_clock::now() >= give_up)
        return Error(Errc::locked, "the lock was not had in 5 s");
      std::this_thread::sleep_for(kPause);
    }
    watch.acquired();
    return HeldSidecar(std::move(watch), std::move(*sidecar));
  }

  std::string root_;
  std::shared_ptr<const LockObserver> observer_;
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
