// The check and the repair of the stores of files.
#include "places.hpp"
#include "storage/log_record.hpp"
#include "support/run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <unistd.h>

namespace sessile::testing {

namespace {

/// Overwrites `count` bytes at `offset`.
void damage(const std::filesystem::path& file, std::uint64_t offset, std::string_view bytes) {
  std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
  out.seekp(static_cast<std::streamoff>(offset));
  out << bytes;
}

}  // namespace

TEST_CASE("verify finds nothing in a sound store, and says how much it read") {
  for_each_directory([](Place& place) {
    check_sound(*place.store);
    CHECK(place.verify().checked == 0);
    place.save("a", 3);
    place.save("b", 0);
    place.append("a", "more");
    check_sound(*place.store);
    CHECK(place.verify().checked == 2);
    CHECK(place.verify().sound());
    REQUIRE(blocking::remove(*place.store, SessionId("a")));
    check_sound(*place.store);
  });
}

TEST_CASE("verify reports damage by path and byte offset, touches nothing, and a listing goes on") {
  for_each_directory([](Place& place) {
    place.save("good", 2);
    place.save("bad", 2);
    const auto file = place.file("bad");
    damage(file, 200, "\x01\x02\x03");
    const std::string before = place.read(file);
    const auto names = place.names();
    const auto report = place.verify();
    REQUIRE(report.findings.size() == 1);
    const Finding& finding = report.findings[0];
    CHECK(finding.kind == FindingKind::corrupt);
    CHECK(finding.path == file.string());
    CHECK(finding.offset);
    CHECK(finding.key == "bad");
    CHECK_FALSE(finding.detail.empty());
    CHECK_FALSE(finding.remedy().empty());
    CHECK_FALSE(finding.repaired);
    CHECK_FALSE(report.sound());
    CHECK(report.checked == 2);
    CHECK(place.read(file) == before);
    CHECK(place.names() == names);
  });
}

TEST_CASE(
    "repair moves a file without anything to salvage to quarantine, with the reason, and is idempotent") {
  for_each_directory([](Place& place) {
    place.save("good", 2);
    place.save("bad", 2);
    const std::string garbage = "{\"this is\": garbage, \x01\xff and more of it";
    place.write(place.file("bad"), garbage);
    const auto report = place.repair();
    CHECK(report.sound());
    bool told_of_it = false;
    for (const Finding& finding : report.findings) {
      if (finding.kind != FindingKind::corrupt) continue;
      told_of_it = true;
      CHECK(finding.repaired);
      CHECK(place.read(finding.quarantine) == garbage);
      CHECK(place.mode(finding.quarantine) == 0600);
      const auto reason = parse_json(place.read(finding.quarantine + ".reason.json"), Origin::stored).value();
      CHECK(reason.as_object().at("kind").as_string() == "corrupt");
      CHECK(reason.as_object().at("path").as_string() == finding.path);
      CHECK(reason.as_object().at("bytes").as_int64() == static_cast<std::int64_t>(garbage.size()));
    }
    CHECK(told_of_it);
    CHECK(place.mode(place.quarantine()) == 0700);
    check_sound(*place.store);
    CHECK(place.repair().findings.empty());
    CHECK(blocking::load(*place.store, SessionId("bad")).error().code() == Errc::not_found);
    CHECK(blocking::load(*place.store, SessionId("good")));
    // The id is free again, above every revision that may have been there.
    place.save("bad", 1);
    check_sound(*place.store);
  });
}

TEST_CASE("repair never overwrites an earlier entry of the quarantine") {
  for_each_directory([](Place& place) {
    std::set<std::string> kept;
    for (int round = 0; round < 5; ++round) {
      place.save("s", 2);
      place.write(place.file("s"), "garbage " + std::to_string(round));
      for (const Finding& finding : place.repair().findings) {
        if (!finding.quarantine.empty()) kept.insert(finding.quarantine);
      }
    }
    REQUIRE(kept.size() == 5);
    std::set<std::string> contents;
    for (const std::string& entry : kept)
      contents.insert(place.read(entry));
    CHECK(contents.size() == 5);
    CHECK(contents.contains("garbage 0"));
  });
}

TEST_CASE("repair of a log keeps what was before the damage, and all when a snapshot follows it") {
  Place place("jsondir");
  for (const bool snapshot_follows : {false, true}) {
    CAPTURE(snapshot_follows);
    const std::string id = snapshot_follows ? "whole" : "cut";
    place.save(id, 3);
    place.append(id, "first");
    place.append(id, "second");
    const Revision last = place.append(id, "third").revision;
    const auto file = place.file(id);
    const std::string log = place.read(file);
    std::size_t second = log.find("second");
    if (snapshot_follows) {
      // A snapshot as compaction writes it, but behind the log.
      Session changed = **blocking::load(*place.store, SessionId(id));
      changed.messages[0].content = "changed";
      place.save(changed);
      REQUIRE(place.read(file).find("\"type\":\"snapshot\"", second) != std::string::npos);
    }
    damage(file, second, "SECOND");
    const auto found = place.verify();
    REQUIRE(found.findings.size() == 1);
    CHECK(*found.findings[0].offset < second);
    CHECK(*found.findings[0].offset > second - 500);
    const std::string damaged = place.read(file);
    const auto report = place.repair();
    REQUIRE(report.findings.size() == 1);
    CHECK(report.findings[0].repaired);
    CHECK(place.read(report.findings[0].quarantine) == damaged);
    check_sound(*place.store);
    const auto session = blocking::load(*place.store, SessionId(id)).value();
    CHECK(session->messages.size() == (snapshot_follows ? 6 : 4));
    // Whoever still holds a revision of what is lost must not match.
    CHECK(session->revision > last);
    place.append(id, "goes on");
  }
}

TEST_CASE("repair of a damaged log drops no good record that it may not read") {
  const auto check_refused = [](const Place& place, const Limits& limits, Errc why) {
    const std::string damaged = place.read(place.file("s"));
    auto store = open_store(place.url(), OpenOptions().limits(limits)).value();
    const auto report = blocking::verify(*store, VerifyOptions().repair()).value();
    REQUIRE(report.findings.size() == 1);
    CHECK_FALSE(report.findings[0].repaired);
    REQUIRE(report.findings[0].failure);
    CHECK(report.findings[0].failure->code() == why);
    REQUIRE(std::filesystem::exists(place.file("s")));
    CHECK(place.read(place.file("s")) == damaged);
    CHECK_FALSE(std::filesystem::exists(place.quarantine()));
  };
  Place large("jsondir");
  large.save("s", 100);
  large.append("s", "a last one");
  damage(large.file("s"), large.read(large.file("s")).find("a last one"), "DAMAGED");
  Limits small;
  small.session_bytes = 1000;
  check_refused(large, small, Errc::too_large);

  Place newer("jsondir");
  newer.save("s", 2);
  std::string log = newer.read(newer.file("s"));
  log.resize(log.find_last_not_of('\n') + 2);
  const std::string head = "\"type\":\"merge\",\"what\":1";
  log += storage::frame_record(2, head + ",\"head\":\"" + storage::checksum_text(head) + "\"");
  newer.write(newer.file("s"), log + "damage\n" + storage::frame_record(4, "\"x\":1"));
  check_refused(newer, Limits(), Errc::unsupported);
}

TEST_CASE("repair of a log gives a revision above those of good records that it cannot use") {
  Place place("jsondir");
  // It stands still: the time is above no revision.
  const auto clock = std::make_shared<ManualClock>();
  place.store = open_store(place.url(), OpenOptions().clock(clock)).value();
  place.save("s", 1);
  Revision last = 0;
  for (const std::string text : {"kept", "lost 1", "lost 2", "lost 3", "cut off 1", "cut off 2"})
    last = place.append("s", text).revision;
  const auto file = place.file("s");
  const std::string log = place.read(file);
  const auto start_of = [&log](const std::string& text) { return log.rfind("{\"crc\"", log.find(text)); };
  const std::size_t from = start_of("lost 1");
  damage(file, from, std::string(start_of("cut off 1") - 1 - from, '\0'));
  CHECK(place.repair().findings.at(0).repaired);
  const auto session = blocking::load(*place.store, SessionId("s")).value();
  CHECK(session->messages.size() == 2);
  CHECK(session->revision > last);
}

TEST_CASE("repair of a log cuts a torn record and keeps its bytes") {
  Place place("jsondir");
  place.save("s", 2);
  const auto file = place.file("s");
  std::string log = place.records("s");
  const std::string torn = "{\"crc\":\"01234567\",\"seq\":2,\"type\":\"app";
  place.write(file, log + torn);
  const auto found = place.verify();
  REQUIRE(found.findings.size() == 1);
  CHECK(found.findings[0].kind == FindingKind::torn);
  CHECK(found.findings[0].offset == log.size());
  CHECK(found.sound());
  const auto report = place.repair();
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].repaired);
  CHECK(place.read(report.findings[0].quarantine) == torn);
  CHECK(place.read(file) == log);
  check_sound(*place.store);
  place.append("s", "more");
  CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 3);
}

TEST_CASE("repair puts what could not be synced into a new file, and removes the mark of one that is gone") {
  for_each_directory([](Place& place) {
    place.save("s", 2);
    place.append("s", "more");
    const std::string mark = ".poisoned";
    const auto file = place.file("s");
    const auto inode = [&file] {
      struct stat status {};
      REQUIRE(::stat(file.c_str(), &status) == 0);
      return status.st_ino;
    };
    const auto old = inode();
    place.write(file.string() + mark, "");
    place.write(place.file("gone").string() + mark, "");
    // As a program that has just been started: this one remembers what it poisoned.
    const auto found = place.verify();
    CHECK(place.count(found, FindingKind::unsynced) == 1);
    CHECK(place.count(found, FindingKind::leftover) == 1);
    CHECK(found.sound());
    const auto report = place.repair();
    REQUIRE(report.findings.size() == 2);
    for (const Finding& finding : report.findings)
      CHECK_MESSAGE(finding.repaired, told(finding));
    check_sound(*place.store);
    CHECK(inode() != old);
    CHECK_FALSE(std::filesystem::exists(file.string() + mark));
    CHECK_FALSE(std::filesystem::exists(place.file("gone").string() + mark));
    CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 3);
  });
}

TEST_CASE(
    "33 a session that is nested deeper than this store's limit is not damaged, and no repair touches it") {
  for_each_directory([](Place& place) {
    json::value deep("bottom");
    for (int level = 0; level < 300; ++level)
      deep = json::array{std::move(deep)};
    const auto roomy = open_store(place.url() + "?max_depth=400").value();
    blocking::save(*roomy, Place::session("s", 1)).value();
    blocking::append(*roomy, SessionId("s"), {Message("user", deep), Message("user", "last")}).value();
    blocking::save(*roomy, Place::session("t", 1).add_message("user", deep)).value();
    for (const char* id : {"s", "t"})
      CHECK(blocking::load(*place.store, SessionId(id)).error().code() == Errc::too_large);
    const std::string before = place.read(place.file("s")) + place.read(place.file("t"));
    const auto report = place.repair();
    CHECK(place.count(report, FindingKind::too_large) == 2);
    CHECK(report.findings.size() == 2);
    CHECK(place.read(place.file("s")) + place.read(place.file("t")) == before);
    CHECK((*blocking::load(*roomy, SessionId("s")))->messages.size() == 3);
  });
}

TEST_CASE("33 a session as deep as can be is read back by every store of files") {
  for_each_directory([](Place& place) {
    const auto deepest = open_store(place.url() + "?max_depth=1000").value();
    const auto nested = [](int levels) {
      json::value deep("bottom");
      for (int level = 0; level < levels; ++level)
        deep = json::array{std::move(deep)};
      return Place::session("s", 1).add_message("user", std::move(deep));
    };
    int accepted = 0;
    for (int levels = 990; levels <= 1002; ++levels) {
      const auto saved = blocking::save(*deepest, nested(levels));
      if (!saved) {
        CHECK(saved.error().code() == Errc::too_large);
        continue;
      }
      ++accepted;
      CAPTURE(levels);
      const auto again = open_store(place.url() + "?max_depth=1000").value();
      CHECK(blocking::load(*again, SessionId("s")).has_value());
    }
    CHECK(accepted > 3);
    CHECK(accepted < 12);
    REQUIRE(blocking::remove(*deepest, SessionId("s")));
  });
}

TEST_CASE("repair of a damaged log leaves one alone that a later version went on with behind the damage") {
  Place place("jsondir");
  place.save("s", 2);
  place.append("s", "more");
  const auto file = place.file("s");
  std::string log = place.records("s");
  log[log.size() - 60] = '\x01';
  const std::string later = R"("type":"summary of a later version","summary":{})";
  place.write(file, log + storage::frame_record(3, later));
  const std::string before = place.read(file);
  const auto report = place.repair();
  REQUIRE(report.findings.size() == 1);
  CHECK_FALSE(report.findings[0].repaired);
  CHECK(report.findings[0].failure->code() == Errc::unsupported);
  CHECK(place.read(file) == before);
}

TEST_CASE("repair of a torn log leaves a backup made of hard links as it is") {
  Place place("jsondir");
  place.save("s", 2);
  const auto file = place.file("s");
  std::string log = place.records("s");
  const std::string torn = log + "{\"crc\":\"01234567\",\"seq\":2,";
  place.write(file, torn);
  const auto backup = place.directory.path() / "backup";
  std::filesystem::create_hard_link(file, backup);
  CHECK(place.repair().findings.at(0).repaired);
  CHECK(place.read(backup) == torn);
  CHECK(place.read(file) == log);
  CHECK(place.mode(file) == 0600);
  check_sound(*place.store);
}

TEST_CASE("what cannot be read is told of once, and what could not be looked at is not called missing") {
  if (::geteuid() == 0) {
    // Modes mean nothing to root; a link that leads in a circle cannot be opened by anybody.
    Place place("jsondir");
    place.save("s", 1);
    place.save("t", 1);
    const auto agent = place.root() / "agents" / "a";
    std::filesystem::remove_all(agent);
    std::filesystem::create_symlink(agent, agent);
    const auto report = place.verify();
    CHECK(place.count(report, FindingKind::missing_entry) == 0);
    CHECK(report.findings.size() == 1);
    CHECK_FALSE(report.sound());
    return;
  }
  Place place("jsondir");
  place.save("s", 1);
  std::filesystem::permissions(place.file("s"), std::filesystem::perms::none);
  CHECK(place.verify().findings.size() == 1);
}

TEST_CASE("verify looks at the directory that is there, when it was deleted and made anew") {
  Place place("file");
  place.save("s", 1);
  const auto kept = place.directory.path() / "kept";
  std::filesystem::copy(place.root(), kept, std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(place.root());
  std::filesystem::rename(kept, place.root());
  place.write(place.file("s"), "no json");
  CHECK(place.count(place.verify(), FindingKind::corrupt) == 1);
}

TEST_CASE("repair makes a lost or wrong index anew from the logs") {
  Place place("jsondir");
  for (int i = 0; i < 5; ++i)
    place.save("s" + std::to_string(i), 1, i < 3 ? "a" : "b");
  const auto agents = place.root() / "agents";
  std::filesystem::remove(agents / "a" / "s0");
  std::filesystem::remove_all(agents / "b");
  place.write(agents / "a" / "s4", "");
  place.write(agents / "a" / "gone", "");
  const auto listed = [&place](const char* agent) {
    return blocking::list(*place.store, ListQuery().agent(agent)).value().items.size();
  };
  CHECK(listed("a") == 2);
  const auto found = place.verify();
  CHECK(place.count(found, FindingKind::missing_entry) == 3);
  CHECK(place.count(found, FindingKind::stale_entry) == 2);
  CHECK_FALSE(found.sound());
  CHECK(place.repair().sound());
  check_sound(*place.store);
  CHECK(listed("a") == 3);
  CHECK(listed("b") == 2);
  CHECK_FALSE(std::filesystem::exists(place.quarantine()));
}

TEST_CASE("what holds something in the place of an entry is moved to the quarantine, not removed") {
  Place place("jsondir");
  place.save("s", 1, "a");
  place.write(place.root() / "agents" / "a" / "gone", "somebody's notes");
  const auto report = place.repair();
  CHECK(report.sound());
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].kind == FindingKind::stale_entry);
  CHECK(place.read(report.findings[0].quarantine) == "somebody's notes");
  CHECK_FALSE(std::filesystem::exists(place.root() / "agents" / "a" / "gone"));
  check_sound(*place.store);
}

TEST_CASE("repair sweeps the temporary files of the dead, and none of a live writer's") {
  for_each_directory([](Place& place) {
    place.save("dead", 1);
    place.save("live", 1);
    const std::string suffix = ".tmp.1234.0123456789abcdef";
    const auto dead = place.file("dead").string() + suffix;
    const auto live = place.file("live").string() + suffix;
    place.write(dead, "half a ses");
    place.write(live, "half a ses");
    const auto lock = place.lock("live");
    const auto found = place.verify();
    CHECK(place.count(found, FindingKind::leftover) == 1);
    CHECK(found.sound());
    CHECK(place.repair().sound());
    CHECK_FALSE(std::filesystem::exists(dead));
    CHECK(std::filesystem::exists(live));
  });
}

TEST_CASE("what others hold locked is busy, not damaged, and not repaired") {
  for_each_directory([](Place& place) {
    place.save("s", 1);
    place.write(place.file("s"), "garbage");
    const auto lock = place.lock("s");
    const auto report = place.repair();
    CHECK(place.count(report, FindingKind::busy) == 1);
    CHECK(place.count(report, FindingKind::corrupt) == 0);
    CHECK(place.read(place.file("s")) == "garbage");
  });
}

TEST_CASE("a repair that cannot fill the quarantine leaves the file as it is, and says so") {
  for_each_directory([](Place& place) {
    place.save("s", 1);
    place.write(place.file("s"), "garbage");
    // Not a directory, and no link is followed.
    std::filesystem::create_directory(place.root() / "elsewhere");
    std::filesystem::create_directory_symlink(place.root() / "elsewhere", place.quarantine());
    const auto report = place.repair();
    REQUIRE(place.count(report, FindingKind::corrupt) == 1);
    CHECK_FALSE(report.sound());
    CHECK(report.findings[0].failure);
    CHECK(place.read(place.file("s")) == "garbage");
    CHECK(std::filesystem::is_empty(place.root() / "elsewhere"));
  });
}

TEST_CASE("what is no regular file is told of and never touched") {
  for_each_directory([](Place& place) {
    place.save("s", 1);
    place.save("t", 1);
    const auto file = place.file("s");
    const auto other = place.root() / "other";
    std::filesystem::rename(file, other);
    std::filesystem::create_symlink(other, file);
    const std::string before = place.read(other);
    CHECK(place.count(place.repair(), FindingKind::wrong_type) == 1);
    CHECK(std::filesystem::is_symlink(file));
    CHECK(place.read(other) == before);
  });
}

TEST_CASE("a newer format and a file over the limits are left alone") {
  Place place("file");
  place.save("s", 1);
  std::string text = place.read(place.file("s"));
  text.replace(text.find("\"format\":1"), 10, "\"format\":9");
  place.write(place.file("s"), text);
  const auto report = place.repair();
  CHECK(place.count(report, FindingKind::newer_format) == 1);
  CHECK(report.findings.size() == 1);
  CHECK(place.read(place.file("s")) == text);
  Limits small;
  small.session_bytes = 1000;
  Place other("jsondir");
  other.save("s", 100);
  auto limited = open_store("jsondir:" + other.root().string(), OpenOptions().limits(small)).value();
  const auto too_large = blocking::verify(*limited, VerifyOptions().repair()).value();
  CHECK(place.count(too_large, FindingKind::too_large) == 1);
  CHECK(too_large.findings.size() == 1);
  check_sound(*other.store);
}

TEST_CASE("a summary that is not its session's is found, and made anew") {
  Place place("file");
  place.save("s", 2);
  std::string text = place.read(place.file("s"));
  text.replace(text.find("\"messages\":2"), 12, "\"messages\":7");
  place.write(place.file("s"), text);
  CHECK(place.count(place.verify(), FindingKind::stale_summary) == 1);
  const auto report = place.repair();
  CHECK(report.sound());
  check_sound(*place.store);
  CHECK(blocking::list(*place.store).value().items.at(0).message_count == 2);
  // Whatever of it the session does not have.
  REQUIRE(report.findings.size() == 1);
  CHECK(place.read(report.findings[0].quarantine) == text);
}

TEST_CASE("a damaged sessile.json is made anew, another engine's is not") {
  Place place("jsondir");
  place.save("s", 1);
  place.write(place.root() / "sessile.json", "{\"form");
  auto fresh = open_store("jsondir:" + place.root().string()).value();
  CHECK(place.count(blocking::verify(*fresh).value(), FindingKind::corrupt) == 1);
  CHECK(blocking::verify(*fresh, VerifyOptions().repair()).value().sound());
  check_sound("jsondir:" + place.root().string());
  const std::string theirs = "{\"format\":1,\"engine\":\"another\"}";
  place.write(place.root() / "sessile.json", theirs);
  fresh = open_store("jsondir:" + place.root().string()).value();
  const auto report = blocking::verify(*fresh, VerifyOptions().repair()).value();
  CHECK(place.count(report, FindingKind::newer_format) == 1);
  CHECK(place.read(place.root() / "sessile.json") == theirs);
}

TEST_CASE("a store opened read-only is checked without a write, and its repair is refused") {
  for_each_directory([](Place& place) {
    place.save("good", 1);
    place.save("bad", 1);
    place.write(place.file("bad"), "garbage");
    const auto before = place.names();
    auto reader = open_store(place.url(), OpenOptions().access(Access::read_only)).value();
    CHECK(place.count(blocking::verify(*reader).value(), FindingKind::corrupt) == 1);
    CHECK(blocking::verify(*reader, VerifyOptions().repair()).error().code() == Errc::unsupported);
    CHECK(place.names() == before);
  });
}

TEST_CASE("memory has the generic check: every session loads; there is no repair") {
  auto store = open_store("memory:").value();
  for (int i = 0; i < 250; ++i)
    REQUIRE(blocking::save(*store, Session("s" + std::to_string(i))));
  std::uint64_t last = 0;
  VerifyOptions options;
  options.progress([&last](std::uint64_t done, std::uint64_t) { last = done; });
  const auto report = blocking::verify(*store, options).value();
  CHECK(report.checked == 250);
  CHECK(last == 250);
  CHECK(report.findings.empty());
  CHECK(blocking::verify(*store, VerifyOptions().repair()).error().code() == Errc::unsupported);
}

TEST_CASE("verify beside writers finds nothing, and repair beside them loses nothing") {
  for_each_directory([](Place& place) {
    std::atomic<bool> stop{false};
    std::vector<std::thread> writers;
    std::atomic<int> written{0};
    for (int writer = 0; writer < 3; ++writer) {
      writers.emplace_back([&, writer] {
        auto store = open_store(place.url() + "?durability=process").value();
        const SessionId id("s" + std::to_string(writer));
        for (int i = 0; !stop || i < 20; ++i) {
          if (i % 40 == 0) {
            const Session session = place.session(id.str(), 1, "agent" + std::to_string(i % 3));
            blocking::save(*store, session).value();
          }
          blocking::append(*store, id, {Message("user", json::value(i))}).value();
          ++written;
        }
      });
    }
    for (int round = 0; round < 30 || written < 300; ++round) {
      // A move of less than power leaves the entry of the former agent.
      check_sound(blocking::verify(*place.store, VerifyOptions().repair(round % 2 == 0)),
                  {FindingKind::stale_entry});
    }
    stop = true;
    for (std::thread& writer : writers)
      writer.join();
    CHECK(place.repair().sound());
    check_sound(*place.store);
    CHECK_FALSE(std::filesystem::exists(place.quarantine()));
  });
}

namespace {

/// What a check comes to that is cancelled once it has looked at one session.
Result<VerifyReport> cancelled_verify(SessionStore& store, VerifyOptions options) {
  asio::io_context context;
  asio::cancellation_signal signal;
  options.progress(
      [&signal](std::uint64_t, std::uint64_t) { signal.emit(asio::cancellation_type::terminal); });
  Result<VerifyReport> outcome;
  asio::co_spawn(context, store.verify(std::move(options)),
                 asio::bind_cancellation_slot(
                     signal.slot(), [&outcome](std::exception_ptr thrown, Result<VerifyReport> result) {
                       if (!thrown) outcome = std::move(result);
                     }));
  context.run();
  return outcome;
}

}  // namespace

TEST_CASE("a repair that is cancelled tells what it has repaired, and that it is not done") {
  for_each_directory([](Place& place) {
    place.save("a", 2);
    place.save("b", 2);
    for (const char* id : {"a", "b"})
      place.write(place.file(id), "no session");
    CHECK(cancelled_verify(*place.store, VerifyOptions()).error().code() == Errc::cancelled);
    const auto report = cancelled_verify(*place.store, VerifyOptions().repair()).value();
    CHECK_FALSE(report.complete);
    CHECK_FALSE(report.sound());
    REQUIRE(Place::count(report, FindingKind::corrupt) == 1);
    CHECK(report.findings[0].repaired);
    CHECK(place.read(report.findings[0].quarantine) == "no session");
    const auto rest = place.repair();
    CHECK(rest.complete);
    CHECK(rest.sound());
    CHECK(Place::count(rest, FindingKind::corrupt) == 1);
  });
}

}  // namespace sessile::testing
