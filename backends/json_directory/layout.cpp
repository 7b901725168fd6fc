#include "layout.hpp"

#include "storage/quarantine.hpp"
#include "storage/replace_file.hpp"

#include <sessile/backend.hpp>

#include <algorithm>

namespace sessile::json_directory {

namespace {

namespace errc = boost::system::errc;
using storage::Directory;

constexpr const char* kMarker = "sessile.json";
constexpr std::string_view kMarkerText = "{\"format\":1,\"engine\":\"json_directory\"}\n";
constexpr std::uint64_t kMarkerLimit = 65536;
constexpr std::uint64_t kNewestFormat = 1;
constexpr std::size_t kMostAgentsRemembered = 4096;

/// The subdirectory, or null when there is none.
Result<std::shared_ptr<Directory>> open_existing(Directory& parent, const std::string& name) {
  auto found = parent.open_directory(name);
  if (found) return std::move(*found);
  if (found.error() == errc::no_such_file_or_directory) return std::shared_ptr<Directory>();
  return storage::system_error(found.error(), "cannot open the directory", parent, name);
}

Result<std::shared_ptr<Directory>> open_or_make(Directory& parent, const std::string& name) {
  auto found = storage::open_or_make_directory(parent, name);
  if (found) return std::move(*found);
  return storage::system_error(found.error(), "cannot make the directory", parent, name);
}

Result<void> check_marker_text(std::string_view text, const std::string& path) {
  const auto refuse = [&path](Errc code, std::string_view detail) {
    return Error(code, detail).with_path(path);
  };
  auto parsed = parse_json(text, Origin::stored);
  if (!parsed || !parsed->is_object()) return refuse(Errc::corrupt, "sessile.json is not a JSON object");
  const json::object& fields = parsed->as_object();
  const json::value* engine = fields.if_contains("engine");
  if (!engine || *engine != json::value("json_directory")) {
    return refuse(Errc::unsupported, "the directory is another engine's: sessile.json says so");
  }
  const json::value* format = fields.if_contains("format");
  if (!format || !format->is_int64() || format->get_int64() < 1) {
    return refuse(Errc::corrupt, "sessile.json has no format");
  }
  if (static_cast<std::uint64_t>(format->get_int64()) > kNewestFormat) {
    return refuse(Errc::unsupported, "the directory was written by a newer version of Sessile: upgrade");
  }
  return success();
}

}  // namespace

std::string log_name(const SessionId& id) {
  return file_name(id.str()).append(kLogExtension);
}

std::optional<std::string> name_of_log(std::string_view entry) {
  if (!entry.ends_with(kLogExtension) || entry.size() == kLogExtension.size()) return std::nullopt;
  return std::string(entry.substr(0, entry.size() - kLogExtension.size()));
}

Result<void> Place::add_to_index(const AgentId& agent, const std::string& name, Durability durability) const {
  auto entries = agent_directory(file_name(agent.str()));
  if (!entries) return entries.error();
  auto made = (*entries)->open_file(name, storage::OpenMode::create_exclusive);
  if (!made && made.error() != errc::file_exists) {
    return storage::system_error(made.error(), "cannot make the index entry", **entries, name);
  }
  if (durability != Durability::power) return success();
  if (auto synced = (*entries)->sync(); !synced) {
    return storage::system_error(synced.error(), "cannot sync the index", **entries, name);
  }
  return success();
}

Result<std::shared_ptr<Directory>> Place::agent_directory(const std::string& agent_name) const {
  {
    const std::scoped_lock lock(mutex_);
    if (durable_agents_.contains(agent_name)) {
      auto found = agents->open_directory(agent_name);
      if (found) return std::move(*found);
    }
  }
  // Syncs the directory of agents as well: for one made now, or by a writer that died before it had.
  auto made = open_or_make(*agents, agent_name);
  if (!made) return made;
  const std::scoped_lock lock(mutex_);
  if (durable_agents_.size() >= kMostAgentsRemembered) durable_agents_.clear();
  durable_agents_.insert(agent_name);
  return made;
}

void Place::drop_from_index(const AgentId& agent, const std::string& name) const {
  auto entries = agents->open_directory(file_name(agent.str()));
  if (entries) (void)(*entries)->remove(name);
}

Result<std::vector<std::string>> Place::indexed(const AgentId& agent) const {
  std::vector<std::string> names;
  if (!agents) return names;
  auto entries = open_existing(*agents, file_name(agent.str()));
  if (!entries) return entries.error();
  if (!*entries) return names;
  auto listed = (*entries)->list();
  if (!listed) {
    return storage::system_error(listed.error(), "cannot list the index", *agents, file_name(agent.str()));
  }
  for (auto& entry : *listed)
    names.push_back(std::move(entry.name));
  return names;
}

Result<std::vector<std::string>> Place::logs() const {
  auto listed = sessions->list();
  if (!listed) return storage::system_error(listed.error(), "cannot list the sessions", *sessions, ".");
  std::vector<std::string> names;
  for (const auto& entry : *listed) {
    if (auto name = name_of_log(entry.name)) names.push_back(std::move(*name));
  }
  return names;
}

Result<void> Place::sync_sessions() const {
  auto synced = sessions->sync();
  if (!synced) return storage::system_error(synced.error(), "cannot sync the directory", *sessions, ".");
  return success();
}

Layout::Layout(std::shared_ptr<storage::FileSystem> files, std::filesystem::path root, MissingPlace missing,
               CompactionSettings compaction)
    : files_(std::move(files)),
      root_(std::move(root)),
      missing_(missing),
      compaction_(std::move(compaction)),
      cache_(files_ == storage::real_file_system() ? LogCache::of_the_process()
                                                   : std::make_shared<LogCache>()),
      compactions_(files_ == storage::real_file_system() ? CompactionRegister::of_the_process()
                                                         : std::make_shared<CompactionRegister>()) {}

std::shared_ptr<Place> Layout::new_place() const {
  auto place = std::make_shared<Place>();
  place->cache = cache_;
  place->compactions = compactions_;
  place->compaction = compaction_;
  return place;
}

Result<std::shared_ptr<Directory>> Layout::open_root(bool make) {
  auto root = files_->open_directory(root_);
  const bool is_missing = !root && root.error() == errc::no_such_file_or_directory;
  if (is_missing && missing_ == MissingPlace::refuse) {
    return Error(Errc::unavailable, "the directory of the store does not exist").with_path(root_.native());
  }
  if (is_missing && !make) return std::shared_ptr<Directory>();
  // Also when it is there: its maker may have been killed before its entry was durable.
  if (make && (root || is_missing)) root = storage::open_or_make_directory(*files_, root_);
  if (root) return std::move(*root);
  return Error(Errc::unavailable, "cannot open the directory of the store")
      .with_path(root_.native())
      .with_cause(root.error());
}

Result<void> Layout::check_marker(Directory& root, bool make) {
  auto text = storage::read_file(root, kMarker, kMarkerLimit);
  if (text) return check_marker_text(*text, (root_ / kMarker).native());
  if (text.error().code() != Errc::not_found) return text.error();
  if (!make) return success();
  storage::CommitGate gate;
  return storage::replace_file(root, kMarker, kMarkerText, Durability::power, gate);
}

Result<void> Layout::renew_marker(Finding& finding) {
  auto root = open_root(false);
  if (!root) return root.error();
  if (!*root) return success();
  auto moved = storage::Quarantine(**root).move(**root, kMarker, finding);
  if (!moved) return moved;
  return check_marker(**root, true);
}

std::shared_ptr<const Place> Layout::opened_to_write() {
  const std::scoped_lock lock(mutex_);
  return writable_;
}

std::shared_ptr<const Place> Layout::opened_to_read() {
  const std::scoped_lock lock(mutex_);
  return readable_;
}

void Layout::opened(std::shared_ptr<const Place> readable, std::shared_ptr<const Place> writable) {
  const std::scoped_lock lock(mutex_);
  readable_ = std::move(readable);
  writable_ = std::move(writable);
}

Result<std::shared_ptr<const Place>> Layout::open_to_read() {
  if (auto known = opened_to_read()) return known;
  const std::scoped_lock lock(opening_);
  if (auto known = opened_to_read()) return known;
  auto root = open_root(false);
  if (!root) return root.error();
  if (!*root) return std::shared_ptr<const Place>();
  if (auto known = check_marker(**root, false); !known) return known.error();
  auto place = new_place();
  auto sessions = open_existing(**root, "sessions");
  if (!sessions) return sessions.error();
  if (!*sessions) return std::shared_ptr<const Place>();
  auto agents = open_existing(**root, "agents");
  if (!agents) return agents.error();
  // Readers do without.
  auto locks = open_existing(**root, "locks");
  place->root = std::move(*root);
  place->sessions = std::move(*sessions);
  place->agents = std::move(*agents);
  if (locks) place->locks = std::move(*locks);
  // Remembered only when complete: a writer may be making the rest.
  if (place->agents) opened(place, nullptr);
  return std::shared_ptr<const Place>(place);
}

Result<std::shared_ptr<const Place>> Layout::open_to_write() {
  if (auto known = opened_to_write()) return known;
  const std::scoped_lock lock(opening_);
  if (auto known = opened_to_write()) return known;
  auto root = open_root(true);
  if (!root) return root.error();
  // The marker comes first: what it marks is never without it.
  if (auto known = check_marker(**root, true); !known) return known.error();
  auto place = new_place();
  auto locks = open_or_make(**root, "locks");
  if (!locks) return locks.error();
  auto agents = open_or_make(**root, "agents");
  if (!agents) return agents.error();
  auto sessions = open_or_make(**root, "sessions");
  if (!sessions) return sessions.error();
  place->root = std::move(*root);
  place->locks = std::move(*locks);
  place->agents = std::move(*agents);
  place->sessions = std::move(*sessions);
  opened(place, place);
  return std::shared_ptr<const Place>(std::move(place));
}

}  // namespace sessile::json_directory
