// A full disk, or another failure, at every call of a write.
#include "faulty_store.hpp"

#include <sessile/wait.hpp>

#include <doctest/doctest.h>

#include <functional>

using namespace sessile;
using blocking::wait;
using sessile::test::Faults;
using Scratch = sessile::test::DocumentScratch;

namespace {

/// Runs one write; the error when it failed.
using Write = std::function<std::optional<Error>(const DocumentStore&)>;

template <class T>
std::optional<Error> error_of(Result<T> result) {
  if (result) return std::nullopt;
  return result.error();
}

/// Fails each of the write's calls in turn. After a failure the old state is there, whole, and nothing else;
/// but after indeterminate the new one.
void fail_everywhere(const Write& write, int error_number) {
  int failures = 0;
  for (int index = 0;; ++index) {
    const Scratch scratch;
    auto faults = std::make_shared<Faults>();
    const DocumentStore documents = test::open_faulty(scratch.path(), faults);
    wait(documents.save_json("c", "json", {{"old", 1}})).value();
    wait(documents.save_markdown("c", "markdown", "old")).value();
    const auto before = test::contents(scratch / "c");
    faults->calls.clear();
    faults->index = index;
    faults->error_number = error_number;
    const auto error = write(documents);
    const bool reached = static_cast<int>(faults->calls.size()) > index;
    faults->index = -1;
    const auto after = test::contents(scratch / "c");
    if (error && error->code() == Errc::indeterminate) {
      CHECK(faults->calls.back() == "sync directory");
      CHECK(after != before);
    } else if (error) {
      ++failures;
      INFO(error->message());
      CHECK(after == before);
      const bool typed = error->code() == Errc::unavailable || error->code() == Errc::io;
      CHECK(typed);
    } else {
      CHECK(after != before);
    }
    // The store goes on, and the lock is free.
    CHECK(wait(documents.update_json("c", "json", DocumentEdit::set("later", 1))).has_value());
    if (!reached) break;
  }
  CHECK(failures >= 3);
}

void check_write(const Write& write) {
  fail_everywhere(write, ENOSPC);
  fail_everywhere(write, EIO);
}

}  // namespace

TEST_CASE("O5 a disk that fills while a document is saved leaves the old one and no temporary file") {
  check_write([](const DocumentStore& d) { return error_of(wait(d.save_json("c", "json", {{"new", 2}}))); });
  check_write([](const DocumentStore& d) { return error_of(wait(d.save_markdown("c", "markdown", "new"))); });
  check_write([](const DocumentStore& d) { return error_of(wait(d.save_json("c", "another", 2))); });
}

TEST_CASE("M5 a disk that fills while a document is updated leaves the old one and no temporary file") {
  check_write([](const DocumentStore& d) {
    return error_of(wait(d.update_json("c", "json", DocumentEdit::set("a.b", 2))));
  });
}

TEST_CASE("M4 writing survives a file system that writes three bytes at a time") {
  const Scratch scratch;
  auto faults = std::make_shared<Faults>();
  faults->longest_write = 3;
  const DocumentStore documents = test::open_faulty(scratch.path(), faults);
  const json::value value = {{"a", std::string(1000, 'x')}};
  wait(documents.save_json("c", "json", value)).value();
  CHECK(wait(documents.read_json("c", "json")).value().value == value);
}

TEST_CASE("M4 a write is synced, renamed into place, and its directory synced, in that order") {
  const Scratch scratch;
  auto faults = std::make_shared<Faults>();
  const DocumentStore documents = test::open_faulty(scratch.path(), faults);
  wait(documents.save_json("c", "json", 1)).value();
  faults->calls.clear();
  wait(documents.save_json("c", "json", 2)).value();
  std::vector<std::string> last = faults->calls;
  last.erase(last.begin(), std::find(last.begin(), last.end(), "sync"));
  CHECK(last == std::vector<std::string>{"sync", "close", "rename", "sync directory"});
  faults->calls.clear();
  wait(documents.save_json("c", "json", 3, DocumentWriteOptions().durability(Durability::process))).value();
  CHECK(std::find(faults->calls.begin(), faults->calls.end(), "sync") == faults->calls.end());
  CHECK(faults->calls.back() == "rename");
}

TEST_CASE("An update that changes nothing is as durable as it says, whoever wrote what is there") {
  const Scratch scratch;
  auto faults = std::make_shared<Faults>();
  const DocumentStore documents = test::open_faulty(scratch.path(), faults);
  const auto quick = DocumentWriteOptions().durability(Durability::process);
  wait(documents.save_json("c", "json", {{"a", 1}}, quick)).value();
  DocumentEdits same;
  same.push_back(DocumentEdit::set("/a", 1));
  const auto update = [&](DocumentUpdateOptions options) {
    faults->calls.clear();
    return wait(documents.update_json("c", "json", same, options));
  };
  CHECK(update(DocumentUpdateOptions()).has_value());
  CHECK(std::count(faults->calls.begin(), faults->calls.end(), "sync") == 1);
  CHECK(faults->calls.back() == "sync directory");
  CHECK(update(DocumentUpdateOptions()).has_value());
  const auto has = [&](const char* call) {
    return std::find(faults->calls.begin(), faults->calls.end(), call) != faults->calls.end();
  };
  CHECK_FALSE(has("rename"));
  // A sync that failed is not believed a second time: the same is written anew.
  for (const int last : {1, 2}) {
    faults->index = static_cast<int>(faults->calls.size()) - last;
    CHECK(update(DocumentUpdateOptions()).has_value());
    CHECK(has("rename"));
    CHECK(faults->calls.back() == "sync directory");
    faults->index = -1;
    CHECK(update(DocumentUpdateOptions()).has_value());
  }
  CHECK(update(DocumentUpdateOptions().durability(Durability::process)).has_value());
  CHECK(std::count(faults->calls.begin(), faults->calls.end(), "sync") == 0);
}

TEST_CASE("O4 a disk that refuses the removal of a document leaves it, and the store goes on") {
  for (const char* const call : {"remove", "lock"}) {
    for (const int number : {ENOSPC, EDQUOT, EROFS, EIO}) {
      const Scratch scratch;
      auto faults = std::make_shared<Faults>();
      const DocumentStore documents = test::open_faulty(scratch.path(), faults);
      wait(documents.save_json("c", "json", {{"old", 1}})).value();
      wait(documents.save_markdown("c", "json", "old")).value();
      const auto before = test::contents(scratch / "c");
      faults->failing = {call};
      faults->error_number = number;
      const auto error = wait(documents.remove("c", "json")).error();
      CHECK(error.code() == (number == EIO ? Errc::io : Errc::unavailable));
      CHECK(test::contents(scratch / "c") == before);
      faults->failing.clear();
      CHECK(wait(documents.remove("c", "json")).value());
      CHECK(wait(documents.remove("c", "json")).value());
      CHECK_FALSE(wait(documents.remove("c", "json")).value());
    }
  }
}

TEST_CASE("O4 a removal whose directory cannot be synced is indeterminate") {
  const Scratch scratch;
  auto faults = std::make_shared<Faults>();
  const DocumentStore documents = test::open_faulty(scratch.path(), faults);
  wait(documents.save_json("c", "json", 1)).value();
  faults->calls.clear();
  wait(documents.remove("c", "nothing")).value();
  const auto calls_of_none = static_cast<int>(faults->calls.size());
  faults->calls.clear();
  faults->index = calls_of_none;
  faults->error_number = ENOSPC;
  CHECK(wait(documents.remove("c", "json")).error().code() == Errc::indeterminate);
  CHECK(faults->calls.back() == "sync directory");
  faults->index = -1;
  CHECK_FALSE(wait(documents.exists("c", "json")).value());
}

TEST_CASE("O15 a disk that refuses removals makes a prune report each of them, and remove none") {
  const Scratch scratch;
  auto faults = std::make_shared<Faults>();
  const DocumentStore documents = test::open_faulty(scratch.path(), faults);
  for (const char* const name : {"a", "b", "c"})
    wait(documents.save_json("c", name, 1)).value();
  const auto before = test::contents(scratch / "c");
  const auto policy = DocumentPrunePolicy().ttl(std::chrono::microseconds(0)).max_documents(1);
  for (const int number : {ENOSPC, EROFS}) {
    faults->failing = {"remove"};
    faults->error_number = number;
    const auto report = wait(documents.prune("c", policy)).value();
    CHECK(report.removed.empty());
    REQUIRE(report.failed.size() == 2);
    for (const Error& error : report.failed)
      CHECK(error.code() == Errc::unavailable);
    CHECK(test::contents(scratch / "c") == before);
    faults->failing = {"list"};
    CHECK(wait(documents.prune("c", policy)).error().code() != Errc::not_found);
    faults->failing = {"lock"};
    const auto stopped = wait(documents.prune("c", policy)).value();
    CHECK(stopped.stopped.has_value());
    CHECK(stopped.kept == 3);
    CHECK(test::contents(scratch / "c") == before);
  }
  faults->failing.clear();
  CHECK(wait(documents.prune("c", policy)).value().removed.size() == 2);
}
