// Pruning the documents of a category.
#include "document_scratch.hpp"
#include "documents/file.hpp"

#include <sessile/documents.hpp>
#include <sessile/wait.hpp>

#include <doctest/doctest.h>

using namespace sessile;
using namespace std::chrono_literals;
using blocking::wait;
using Scratch = sessile::test::DocumentScratch;

namespace {

using Names = std::vector<std::string>;

class FixedClock final : public Clock {
 public:
  explicit FixedClock(TimePoint time) : time_(time) {}
  TimePoint now() const noexcept override { return time_; }

 private:
  TimePoint time_;
};

const TimePoint kNow = *parse_time("2026-01-10T00:00:00Z");

DocumentStore open(const Scratch& scratch) {
  return open_documents(scratch.path(), DocumentStoreOptions().clock(std::make_shared<FixedClock>(kNow)))
      .value();
}

void set_age(const std::filesystem::path& path, std::chrono::microseconds age) {
  const auto time = std::chrono::file_clock::from_sys(kNow - age);
  std::filesystem::last_write_time(path,
                                   std::chrono::time_point_cast<std::chrono::file_clock::duration>(time));
}

/// Documents d1 … dN of `category`, each an hour older than the one before.
void fill(const Scratch& scratch, const DocumentStore& documents, int count) {
  for (int i = 1; i <= count; ++i) {
    const std::string name = "d" + std::to_string(i);
    wait(documents.save_json("c", name, i)).value();
    set_age(scratch / ("c/" + name + ".json"), std::chrono::hours(i));
  }
}

Names names_of(const std::vector<DocumentPruneItem>& items) {
  Names names;
  for (const auto& item : items)
    names.push_back(item.name);
  return names;
}

}  // namespace

TEST_CASE("O15 prune removes by age, then by count, the oldest first") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  fill(scratch, documents, 6);
  const auto policy = DocumentPrunePolicy().ttl(5h).max_documents(2);
  const auto dry = wait(documents.prune("c", policy, DocumentPruneOptions().dry_run())).value();
  CHECK(dry.removed.empty());
  CHECK(names_of(dry.would_remove) == Names{"d6", "d5", "d4", "d3"});
  CHECK(dry.would_remove[1].reason == DocumentPruneItem::Reason::expired);  // exactly as old as the ttl
  CHECK(dry.would_remove[2].reason == DocumentPruneItem::Reason::over_count);
  CHECK(dry.would_remove[2].modified == kNow - 4h);
  CHECK(dry.kept == 2);
  CHECK(wait(documents.list("c")).value().size() == 6);

  const auto done = wait(documents.prune("c", policy, DocumentPruneOptions().batch(3))).value();
  CHECK(done.removed == dry.would_remove);
  CHECK(done.kept == 2);
  CHECK(done.failed.empty());
  CHECK_FALSE(done.stopped.has_value());
  CHECK(wait(documents.list("c")).value() == Names{"d1", "d2"});
  CHECK(wait(documents.prune("c", policy)).value().removed.empty());
}

TEST_CASE("O15 zero switches age and count off, and the defaults are 168 hours and 100") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  fill(scratch, documents, 3);
  const auto off = DocumentPrunePolicy().ttl(0h).max_documents(0);
  CHECK(wait(documents.prune("c", off)).value().kept == 3);
  set_age(scratch / "c/d3.json", 168h);
  CHECK(names_of(wait(documents.prune("c")).value().removed) == Names{"d3"});
  CHECK(DocumentPrunePolicy().max_documents() == 100);
}

TEST_CASE("O15 a name with a JSON and a Markdown document is as young as the younger, and loses both") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  fill(scratch, documents, 2);
  wait(documents.save_markdown("c", "d2", "x")).value();
  set_age(scratch / "c/d2.md", 0h);
  const auto policy = DocumentPrunePolicy().ttl(0h).max_documents(1);
  CHECK(names_of(wait(documents.prune("c", policy)).value().removed) == Names{"d1"});
  set_age(scratch / "c/d2.md", 200h);
  set_age(scratch / "c/d2.json", 200h);
  CHECK(wait(documents.prune("c")).value().removed.size() == 1);
  CHECK(Scratch::names(scratch / "c") == Names{".lock", ".lock.holder"});
}

TEST_CASE("O15 pruning a missing category does nothing, and a batch of none is refused") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  const auto report = wait(documents.prune("c")).value();
  CHECK(report.kept == 0);
  CHECK(scratch.names().empty());
  const auto refused = wait(documents.prune("c", DocumentPrunePolicy(), DocumentPruneOptions().batch(0)));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == Errc::invalid_argument);
}

TEST_CASE("O15 a document written while the prune waits for the lock stays, and one removed is not counted") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  fill(scratch, documents, 3);
  auto lock = std::make_optional(wait(documents.lock("c")).value());
  asio::io_context context;
  std::optional<DocumentPruneReport> report;
  const auto all = DocumentPrunePolicy().ttl(1h);
  asio::co_spawn(
      context, documents.prune("c", all),
      [&report](std::exception_ptr, Result<DocumentPruneReport> result) { report = result.value(); });
  // It lists without the lock, and then waits for it.
  asio::steady_timer timer(context, 300ms);
  timer.async_wait([&](const boost::system::error_code&) {
    // Off this thread's context: the lock's own operations are waited for.
    wait(lock->save_json("d1", "new")).value();
    wait(lock->remove("d2")).value();
    lock.reset();
  });
  context.run();
  REQUIRE(report.has_value());
  CHECK(names_of(report->removed) == Names{"d3"});
  CHECK(report->kept == 1);
  CHECK(wait(documents.list("c")).value() == Names{"d1"});
}

TEST_CASE("O15 a prune that is stopped says so, and what it had done") {
  const Scratch scratch;
  const DocumentStore documents = open(scratch);
  fill(scratch, documents, 2);
  const auto lock = wait(documents.lock("c")).value();
  const auto options = DocumentPruneOptions().timeout(50ms);
  const auto report = wait(documents.prune("c", DocumentPrunePolicy().ttl(1h), options)).value();
  CHECK(report.removed.empty());
  CHECK(report.kept == 2);
  REQUIRE(report.stopped.has_value());
  CHECK(wait(documents.list("c")).value().size() == 2);
}

TEST_CASE("A document that was written anew is another one, though its time and its size are the same") {
  const Scratch scratch;
  const auto documents = open(scratch);
  wait(documents.save_json("c", "d", {{"n", 1}})).value();
  const auto file = scratch.path() / "c" / "d.json";
  const auto time = std::filesystem::last_write_time(file);
  const auto directory = storage::real_file_system()->open_directory(scratch.path() / "c").value();
  const auto before = detail::document_files(*directory, "d").value();
  CHECK(detail::document_files(*directory, "d").value() == before);
  wait(documents.save_json("c", "d", {{"n", 2}})).value();
  std::filesystem::last_write_time(file, time);
  const auto after = detail::document_files(*directory, "d").value();
  CHECK(after.modified == before.modified);
  CHECK(after.bytes == before.bytes);
  CHECK(after != before);
}
