// The floor: the bare system calls that a file a session needs, with no lock and no check. Not a store: two
// writers of one session would harm each other.
#include "bench/engines/posix_file.hpp"

#include <sessile/json.hpp>

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>

namespace sessile::bench {

namespace {

class FloorClient final : public RivalClient {
 public:
  FloorClient(std::string root, PosixFile directory)
      : root_(std::move(root)), directory_(std::move(directory)) {}

  Result<void> save(const Session& session, Sync sync) override {
    const std::string text = encode_session(session) + '\n';
    if (auto done = write_and_rename(path_of(session.id), text, sync); !done) return done;
    // Which sessions an agent has is told by empty files, made while the benchmark prepares its sessions.
    if (sync == Sync::no) return note_agent(session);
    return directory_.sync();
  }

  Result<void> append(const SessionId& id, const Message& message, Sync sync) override {
    const std::string line = encode_message(message) + '\n';
    if (appended_to_ != id) {
      auto file = PosixFile::open(path_of(id), O_WRONLY | O_APPEND);
      if (!file) return file.error();
      file_ = std::move(*file);
      appended_to_ = id;
    }
    if (auto done = file_.write_all(line); !done) return done;
    return sync == Sync::yes ? file_.sync_data() : success();
  }

  Result<SessionPtr> load(const SessionId& id) override {
    auto text = read_file(path_of(id));
    if (!text) return text.error();
    const std::string_view all = *text;
    const auto first_end = std::min(all.find('\n'), all.size());
    auto session = decode_session(all.substr(0, first_end), Origin::stored);
    if (!session) return session.error();
    for (auto at = first_end + 1; at < all.size();) {
      const auto end = std::min(all.find('\n', at), all.size());
      auto message = decode_message(all.substr(at, end - at), Origin::stored);
      if (!message) return message.error();
      session->add_message(std::move(*message));
      at = end + 1;
    }
    return SessionPtr(std::make_shared<const Session>(std::move(*session)));
  }

  Result<std::vector<SessionPtr>> list_for_agent(const AgentId& agent) override {
    const std::string place = agents_directory() + agent.str();
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(place.c_str()), &::closedir);
    if (!directory) return system_error("opendir", errno).with_path(place);
    std::vector<SessionPtr> sessions;
    while (const dirent* entry = ::readdir(directory.get())) {
      if (entry->d_name[0] == '.') continue;
      auto session = load(SessionId(std::string(entry->d_name)));
      if (!session) return session.error();
      sessions.push_back(std::move(*session));
    }
    return sessions;
  }

 private:
  std::string path_of(const SessionId& id) const { return root_ + "/" + id.str() + ".json"; }
  std::string agents_directory() const { return root_ + "/agents/"; }

  Result<void> note_agent(const Session& session) const {
    const std::filesystem::path place = agents_directory() + session.agent_id.str();
    std::error_code fault;
    std::filesystem::create_directories(place, fault);
    if (fault) return system_error("mkdir", fault.value());
    auto entry = PosixFile::open((place / session.id.str()).string(), O_WRONLY | O_CREAT);
    return entry ? success() : Result<void>(entry.error());
  }

  std::string root_;
  PosixFile directory_;
  SessionId appended_to_;
  PosixFile file_;
};

class Floor final : public Rival {
 public:
  explicit Floor(std::string root) : root_(std::move(root)) {}
  Result<std::unique_ptr<RivalClient>> connect() override {
    auto directory = PosixFile::open(root_, O_RDONLY | O_DIRECTORY);
    if (!directory) return directory.error();
    return std::unique_ptr<RivalClient>(std::make_unique<FloorClient>(root_, std::move(*directory)));
  }

 private:
  std::string root_;
};

}  // namespace

RivalKind floor_kind() {
  RivalKind kind;
  kind.name = "floor";
  kind.peer = false;
  kind.open = [](const std::filesystem::path& directory, Sync) -> Result<std::unique_ptr<Rival>> {
    return std::unique_ptr<Rival>(std::make_unique<Floor>(directory.string()));
  };
  return kind;
}

}  // namespace sessile::bench
