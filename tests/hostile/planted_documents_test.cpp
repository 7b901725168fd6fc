// Links, FIFOs, devices, directories and hard links where documents, and what is beside them, belong.
#include "hostile/planted.hpp"

#include <functional>

namespace sessile::testing {

namespace {

using blocking::wait;

constexpr const char* kTreasure = "{\"treasure\":true}\n";

/// Documents of one category, in which "kept" is a JSON document and "text" a Markdown one.
class Documents {
 public:
  Documents() : treasure_(directory_.path(), kTreasure), store_(open(std::chrono::milliseconds(200))) {
    wait(store_.save_json("c", "kept", {{"a", 1}})).value();
    wait(store_.save_markdown("c", "text", "kept")).value();
  }
  const Treasure& treasure() const noexcept { return treasure_; }
  const DocumentStore& store() const noexcept { return store_; }
  std::filesystem::path base() const { return directory_.path() / "state"; }
  std::filesystem::path directory() const { return base() / "c"; }
  DocumentStore open(std::chrono::milliseconds lock_timeout) const {
    const auto options = DocumentStoreOptions().lock(LockOptions().timeout(lock_timeout));
    return open_documents(base(), options).value();
  }
  /// As another process would hold it.
  std::unique_ptr<storage::LockFile> lock() const {
    const auto place = storage::real_file_system()->open_directory(directory()).value();
    return place->try_lock(".lock", LockPrimitive::automatic).value();
  }
  void check_kept(int value) const {
    CHECK(wait(store_.read_json("c", "kept")).value().value == json::value{{"a", value}});
    CHECK(wait(store_.load_markdown("c", "text")).value()->text == "kept");
  }
  void check_afterwards() const {
    CHECK(wait(store_.save_json("c", "afterwards", 1)));
    check_sound(wait(store_.verify()));
  }

 private:
  const TemporaryDirectory directory_;
  const Treasure treasure_;
  const DocumentStore store_;
};

template <class Check>
void for_each_planted(const std::string& file, const Check& check) {
  for_each_planted_in<Documents>(file, check);
}

DocumentEdit set_a(int value) {
  return DocumentEdit::set("a", value);
}

/// One writer is refused at a lock that is held, and another gets it when it is let go.
void check_waiting(const Documents& documents) {
  auto lock = documents.lock();
  const auto refused = wait(documents.store().update_json("c", "kept", set_a(2)));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::locked);
  const DocumentStore patient = documents.open(std::chrono::seconds(30));
  std::thread holder([&lock] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    lock.reset();
  });
  const auto waited = wait(patient.update_json("c", "kept", set_a(3)));
  holder.join();
  CHECK(waited);
  documents.check_kept(3);
}

/// The document "d", as what it is asked for: its text, where it can be read.
class Kind {
 public:
  std::string file;
  std::function<Result<std::string>(const DocumentStore&)> load;
  std::function<Result<Revision>(const DocumentStore&)> save;
};

const Kind kJson = {"d.json",
                    [](const DocumentStore& store) -> Result<std::string> {
                      auto found = wait(store.load_json("c", "d"));
                      if (!found) return found.error();
                      return *found ? json::serialize((*found)->value) + "\n" : "";
                    },
                    [](const DocumentStore& store) { return wait(store.save_json("c", "d", "mine")); }};
const Kind kMarkdown = {
    "d.md",
    [](const DocumentStore& store) -> Result<std::string> {
      auto found = wait(store.load_markdown("c", "d"));
      if (!found) return found.error();
      return *found ? (*found)->text : "";
    },
    [](const DocumentStore& store) { return wait(store.save_markdown("c", "d", "mine")); }};

}  // namespace

TEST_CASE("what is planted at a document, JSON or Markdown, is neither followed, read, listed nor removed") {
  for (const Kind& kind : {kJson, kMarkdown}) {
    for_each_planted(kind.file, [&kind](Documents& documents, Plot& plot) {
      if (plot.is_file()) return;
      const DocumentStore& store = documents.store();
      check_refused(kind.load(store));
      if (kind.file == kJson.file) check_refused(wait(store.update_json("c", "d", set_a(1))));
      CHECK_FALSE(wait(store.exists("c", "d")).value());
      CHECK(wait(store.list("c")).value() == std::vector<std::string>{"kept", "text"});
      CHECK_FALSE(wait(store.remove("c", "d")).value());
      CHECK(wait(store.prune("c", DocumentPrunePolicy().max_documents(2))).value().removed.empty());
      const auto report = wait(store.verify(VerifyOptions().repair())).value();
      // A directory is a category inside of this one.
      const bool is_category = plot.what == Planted::directory;
      CHECK(Place::count(report, FindingKind::wrong_type) == (is_category ? 0 : 1));
      plot.check_stays();
      documents.check_kept(1);
      // A save asks for nothing that was there: it may put its own in the place of what is planted.
      const auto saved = kind.save(store);
      if (!saved) check_refused(saved);
      if (saved) CHECK(kind.load(store).value().find("mine") != std::string::npos);
      for (const auto& entry : std::filesystem::directory_iterator(documents.directory()))
        CHECK(entry.path().string().find(".tmp.") == std::string::npos);
    });
  }
}

TEST_CASE("a file planted as a document by a hard link is written to by no operation") {
  for (const Kind& kind : {kJson, kMarkdown}) {
    for_each_planted(kind.file, [&kind](Documents& documents, Plot& plot) {
      if (!plot.is_file()) return;
      const DocumentStore& store = documents.store();
      CHECK(kind.load(store).value() == kTreasure);
      if (kind.file == kJson.file) {
        CHECK(wait(store.update_json("c", "d", set_a(1))));
        plot.treasure.check_untouched();
        plot.plant_again();
      }
      CHECK(kind.save(store));
      plot.treasure.check_untouched();
      plot.plant_again();
      CHECK(wait(store.remove("c", "d")).value());
      documents.check_kept(1);
    });
  }
}

TEST_CASE("what is planted at a category's lock keeps its writers out, at once, and no reader") {
  for_each_planted(".lock", [](Documents& documents, Plot& plot) {
    const DocumentStore& store = documents.store();
    if (plot.is_file()) {
      // A lock takes no notice of what a file holds.
      CHECK(wait(store.update_json("c", "kept", set_a(2))));
    } else {
      check_refused(wait(store.save_json("c", "new", 1)));
      check_refused(wait(store.save_markdown("c", "new", "text")));
      check_refused(wait(store.update_json("c", "kept", set_a(2))));
      check_refused(wait(store.remove("c", "kept")));
      check_refused(wait(store.lock("c")));
    }
    documents.check_kept(plot.is_file() ? 2 : 1);
    CHECK(wait(store.list("c")).value() == std::vector<std::string>{"kept", "text"});
    wait(store.verify(VerifyOptions().repair())).ignore();
    plot.check_stays();
  });
}

TEST_CASE("what is planted at the line before a category's lock keeps nobody waiting who may have the lock") {
  for_each_planted(".lock.queue", [](Documents& documents, Plot& plot) {
    CHECK(wait(documents.store().update_json("c", "kept", set_a(2))));
    check_waiting(documents);
    CHECK(wait(documents.store().verify(VerifyOptions().repair())));
    plot.check_stays();
  });
}

TEST_CASE("what is planted at the note of a category's holder is not read for long, nor written to") {
  for_each_planted(".lock.holder", [](Documents& documents, Plot& plot) {
    CHECK(wait(documents.store().update_json("c", "kept", set_a(2))));
    plot.treasure.check_untouched();
    plot.plant_again();
    check_waiting(documents);
    CHECK(wait(documents.store().lock("c")));
    CHECK(wait(documents.store().verify(VerifyOptions().repair())));
  });
}

TEST_CASE("a note of a category's holder that is a document by a hard link costs nothing of the document") {
  Documents documents;
  std::filesystem::remove(documents.directory() / ".lock.holder");
  std::filesystem::create_hard_link(documents.directory() / "text.md",
                                    documents.directory() / ".lock.holder");
  CHECK(wait(documents.store().save_json("c", "new", 1)));
  documents.check_kept(1);
  check_sound(wait(documents.store().verify()));
}

TEST_CASE(
    "what is planted in the place of a category's quarantine is not filled, and what is damaged stays") {
  for_each_planted(".quarantine", [](Documents& documents, Plot& plot) {
    const std::string garbage = "{\"this is\": garbage";
    const auto file = documents.directory() / "d.json";
    Place::write(file, garbage);
    const auto report = wait(documents.store().verify(VerifyOptions().repair())).value();
    plot.check_stays();
    REQUIRE(report.findings.size() == 1);
    const Finding& finding = report.findings.front();
    CHECK(finding.kind == FindingKind::corrupt);
    if (plot.what == Planted::directory) {
      // Which is what belongs there.
      CHECK(Place::read(finding.quarantine) == garbage);
      return;
    }
    CHECK_FALSE(finding.repaired);
    REQUIRE(finding.failure);
    CHECK(finding.failure->code() == Errc::io);
    CHECK(Place::read(file) == garbage);
    std::filesystem::remove(plot.at);
    CHECK(wait(documents.store().verify(VerifyOptions().repair())).value().sound());
  });
}

TEST_CASE("what is planted in the place of a category holds no documents, and takes none") {
  for (const Planted what : kAll) {
    if (what == Planted::directory) continue;
    CAPTURE(name(what));
    Documents documents;
    const Plot plot(what, documents.base() / "planted", documents.treasure());
    if (!plot) continue;
    const DocumentStore& store = documents.store();
    check_refused(wait(store.save_json("planted", "kept", 1)));
    check_refused(wait(store.save_json("planted/nested", "kept", 1)));
    check_refused(wait(store.load_json("planted", "kept")));
    check_refused(wait(store.list("planted")));
    check_refused(wait(store.remove("planted", "kept")));
    check_refused(wait(store.lock("planted")));
    CHECK(wait(store.verify(VerifyOptions().repair())));
    plot.check_stays();
    documents.check_kept(1);
  }
}

}  // namespace sessile::testing
