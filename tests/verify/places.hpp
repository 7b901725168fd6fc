// A store of files with direct access to what it keeps there.
#pragma once

#include "storage/file_system.hpp"
#include "support/sound.hpp"
#include "support/temporary_directory.hpp"

#include <sessile/sessile.hpp>

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace sessile::testing {

class Place {
 public:
  explicit Place(std::string scheme_) : scheme(std::move(scheme_)) {
    store = open_store(url() + "?lock_timeout=200ms").value();
  }

  std::filesystem::path root() const { return directory.path() / "store"; }
  std::string url() const { return scheme + ":" + root().string(); }
  std::filesystem::path quarantine() const { return root() / "quarantine"; }
  std::filesystem::path file(const std::string& id) const {
    if (scheme == "file") return root() / (file_name(id) + ".json");
    return root() / "sessions" / (file_name(id) + ".jsonl");
  }
  /// The lock of a session's writers, as another process would hold it.
  std::unique_ptr<storage::LockFile> lock(const std::string& id) const {
    const bool flat = scheme == "file";
    auto place = storage::real_file_system()->open_directory(flat ? root() : root() / "locks").value();
    const std::string sidecar = file_name(id) + (flat ? ".json.lock" : ".lock");
    return place->try_lock(sidecar, LockPrimitive::automatic).value();
  }

  static Session session(const std::string& id, int messages, const std::string& agent = "a") {
    Session made(id);
    made.set_agent(agent);
    for (int i = 0; i < messages; ++i)
      made.add_message(i % 2 == 0 ? "user" : "assistant", json::value("message " + std::to_string(i)));
    return made;
  }
  Written save(const Session& value) { return blocking::save(*store, value).value(); }
  Written save(const std::string& id, int messages, const std::string& agent = "a") {
    return save(session(id, messages, agent));
  }
  Written append(const std::string& id, const std::string& text) {
    return blocking::append(*store, SessionId(id), {Message("assistant", json::value(text))}).value();
  }
  VerifyReport verify() { return blocking::verify(*store).value(); }
  VerifyReport repair() { return blocking::verify(*store, VerifyOptions().repair()).value(); }
  static std::ptrdiff_t count(const VerifyReport& report, FindingKind kind) {
    return std::count_if(report.findings.begin(), report.findings.end(),
                         [kind](const Finding& finding) { return finding.kind == kind; });
  }

  static std::string read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  static void write(const std::filesystem::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
  static unsigned mode(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
  }
  /// A log without its padding, but for the newline of its last record.
  std::string records(const std::string& id) const {
    std::string log = read(file(id));
    log.resize(log.find_last_not_of('\n') + 2);
    return log;
  }
  /// Everything below the root but the sidecars, which a check may make.
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root())) {
      const std::string name = entry.path().string();
      if (!name.ends_with(".lock")) found.insert(name);
    }
    return found;
  }

  const std::string scheme;
  const TemporaryDirectory directory;
  std::shared_ptr<SessionStore> store;
};

inline void for_each_directory(void (*test)(Place&)) {
  for (const std::string scheme : {"file", "jsondir"}) {
    CAPTURE(scheme);
    Place place(scheme);
    test(place);
  }
}

}  // namespace sessile::testing
