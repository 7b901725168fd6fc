// Links, FIFOs, devices, directories and hard links where a store's files belong.
#include "hostile/planted.hpp"

#include <functional>

namespace sessile::testing {

namespace {

void check_planted(const std::string& scheme, Planted what,
                   const std::function<std::filesystem::path(const Place&)>& where,
                   const std::function<void(Place&, Plot&)>& check) {
  CAPTURE(scheme);
  CAPTURE(name(what));
  Place place(scheme);
  place.save("s", 2);
  place.save("other", 2);
  const Treasure treasure(place, "s");
  {
    Plot plot(what, where(place), treasure);
    if (!plot) return;
    check(place, plot);
    // Nobody else is affected.
    CHECK(blocking::load(*place.store, SessionId("other")));
    place.append("other", "goes on");
  }
  check_sound(*place.store, {FindingKind::stale_entry});
}

void for_each_planted(const std::function<std::filesystem::path(const Place&)>& where,
                      const std::function<void(Place&, Plot&)>& check) {
  for (const char* scheme : {"file", "jsondir"}) {
    for (const Planted what : kAll)
      check_planted(scheme, what, where, check);
  }
}

std::filesystem::path lock_of(const Place& place) {
  return place.scheme == "file" ? place.root() / "s.json.lock" : place.root() / "locks" / "s.lock";
}

}  // namespace

TEST_CASE("P8 what is planted at a session's file is neither followed, opened for long, read nor replaced") {
  for_each_planted([](const Place& place) { return place.file("s"); },
                   [](Place& place, Plot& plot) {
                     // A session's file like any other: it has a test of its own.
                     if (plot.is_file()) return;
                     check_refused(blocking::load(*place.store, SessionId("s")));
                     check_refused(blocking::append(*place.store, SessionId("s"), {Message("user", "x")}));
                     check_refused(blocking::save(*place.store, Place::session("s", 1)));
                     check_refused(blocking::remove(*place.store, SessionId("s")));
                     const auto listed = blocking::list(*place.store).value();
                     CHECK(listed.items.size() == 1);
                     REQUIRE(listed.unreadable.size() == 1);
                     CHECK(listed.unreadable[0].key() == "s");
                     CHECK(Place::count(place.repair(), FindingKind::wrong_type) == 1);
                     plot.check_stays();
                   });
}

TEST_CASE("what is planted at a session's lock keeps its writers out, at once, and no reader") {
  for_each_planted(lock_of, [](Place& place, Plot& plot) {
    if (plot.is_file()) {
      // A lock takes no notice of what a file holds.
      place.append("s", "x");
    } else {
      check_refused(blocking::append(*place.store, SessionId("s"), {Message("user", "x")}));
      check_refused(blocking::save(*place.store, Place::session("s", 1)));
      check_refused(blocking::remove(*place.store, SessionId("s")));
    }
    const std::size_t messages = plot.is_file() ? 3 : 2;
    CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == messages);
    place.repair();
    plot.check_stays();
  });
}

TEST_CASE("what is planted at the line before a session's lock keeps nobody waiting who may have the lock") {
  const auto line_of = [](const Place& place) { return lock_of(place).string() + ".queue"; };
  for_each_planted(line_of, [](Place& place, Plot& plot) {
    place.append("s", "of a lock that is free");
    auto lock = place.lock("s");
    const auto refused = blocking::append(*place.store, SessionId("s"), {Message("user", "x")});
    CHECK(refused.error().code() == Errc::locked);
    const auto patient = open_store(place.url() + "?lock_timeout=30s").value();
    std::thread holder([&lock] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      lock.reset();
    });
    const auto waited = blocking::append(*patient, SessionId("s"), {Message("user", "of one that is not")});
    holder.join();
    CHECK(waited);
    CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 4);
    place.repair();
    plot.check_stays();
  });
}

TEST_CASE("what is planted under the name of a temporary file is not swept, nor written to") {
  for_each_planted([](const Place& place) { return place.file("s").string() + ".tmp.1.0123456789abcdef"; },
                   [](Place& place, Plot& plot) {
                     auto fresh = open_store(place.url()).value();
                     REQUIRE(blocking::save(*fresh, Place::session("s", 5)));
                     const auto report = place.repair();
                     CHECK((*blocking::load(*fresh, SessionId("s")))->messages.size() == 5);
                     // One name less of a file does nothing to the file.
                     if (plot.is_file()) return;
                     CHECK(Place::count(report, FindingKind::wrong_type) == 1);
                     plot.check_stays();
                   });
}

TEST_CASE("what is planted at the mark of a log whose sync failed costs nothing that is in the log") {
  for (const Planted what : kAll) {
    CAPTURE(name(what));
    Place place("jsondir");
    place.save("s", 2);
    const Treasure treasure(place, "s");
    const auto mark = place.file("s").string() + ".poisoned";
    if (Plot plot(what, mark, treasure); plot) {
      CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 2);
      // Whatever stands there, the log is written anew, time and again where it cannot be taken away.
      for (const char* text : {"first", "second"})
        place.append("s", text);
      const auto fresh = open_store(place.url()).value();
      CHECK((*blocking::load(*fresh, SessionId("s")))->messages.size() == 4);
    }
    if (Plot plot(what, mark, treasure); plot) {
      const auto report = place.repair();
      CHECK(Place::count(report, FindingKind::unsynced) == 1);
      CHECK(Place::count(report, FindingKind::wrong_type) == (plot.is_file() ? 0 : 1));
      place.append("s", "third");
    }
    const auto of_none = place.file("new").string() + ".poisoned";
    if (Plot plot(what, of_none, treasure); plot) {
      place.repair();
      place.save("new", 1);
      place.append("new", "more");
      CHECK((*blocking::load(*place.store, SessionId("new")))->messages.size() == 2);
    }
    CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 5);
    check_sound(*place.store);
  }
}

TEST_CASE("what is planted in the place of the quarantine is not filled, and the damaged file stays") {
  const auto quarantine_of = [](const Place& place) { return place.quarantine(); };
  for_each_planted(quarantine_of, [](Place& place, Plot& plot) {
    const std::string garbage = "{\"this is\": garbage";
    Place::write(place.file("s"), garbage);
    const auto report = place.repair();
    plot.check_stays();
    REQUIRE(Place::count(report, FindingKind::corrupt) == 1);
    const auto is_it = [](const Finding& finding) { return finding.kind == FindingKind::corrupt; };
    const Finding& finding = *std::find_if(report.findings.begin(), report.findings.end(), is_it);
    if (plot.what == Planted::directory) {
      // Which is what belongs there.
      CHECK(Place::read(finding.quarantine) == garbage);
    } else {
      CHECK_FALSE(finding.repaired);
      REQUIRE(finding.failure);
      CHECK(finding.failure->code() == Errc::io);
      CHECK(Place::read(place.file("s")) == garbage);
      std::filesystem::remove(plot.at);
    }
    CHECK(place.repair().sound());
    CHECK(std::filesystem::is_directory(place.quarantine()));
  });
}

TEST_CASE("what is planted in the index of json_directory leads no write out of the store") {
  for (const Planted what : kAll) {
    CAPTURE(name(what));
    Place place("jsondir");
    place.save("s", 1, "a");
    const Treasure treasure(place, "s");
    // The directory of an agent.
    if (const Plot plot(what, place.root() / "agents" / "b", treasure); plot) {
      const auto saved = blocking::save(*place.store, Place::session("t", 1, "b"));
      if (what == Planted::directory) {
        CHECK(saved);
      } else {
        check_refused(saved);
        CHECK(blocking::load(*place.store, SessionId("t")).error().code() == Errc::not_found);
      }
    }
    // An entry.
    if (const Plot plot(what, place.root() / "agents" / "a" / "u", treasure); plot) {
      const auto under_entry = blocking::save(*place.store, Place::session("u", 1, "a"));
      CHECK(under_entry);
      CHECK(blocking::list(*place.store, ListQuery().agent("a")).value().items.size() == 2);
      treasure.check_untouched();
      CHECK(place.repair().checked >= 2);
    }
  }
}

TEST_CASE("a link, FIFO or file in the place of a directory of json_directory is refused") {
  for (const std::string part : {"sessions", "locks", "agents", "sessile.json"}) {
    for (const Planted what : kAll) {
      CAPTURE(part);
      CAPTURE(name(what));
      const bool is_marker = part == "sessile.json";
      if (what == Planted::directory && !is_marker) continue;
      Place place("jsondir");
      place.save("s", 1);
      const auto aside = place.directory.path() / "aside";
      std::filesystem::rename(place.root() / part, aside);
      const Treasure treasure(place.directory.path(), "a treasure, and no marker");
      const Plot plot(what, place.root() / part, treasure);
      if (!plot) continue;
      if (what == Planted::link) {
        std::filesystem::remove(plot.at);
        std::filesystem::create_symlink(aside, plot.at);
      }
      auto fresh = open_store(place.url()).value();
      check_refused(blocking::save(*fresh, Place::session("new", 1)));
      const auto report = blocking::verify(*fresh, VerifyOptions().repair());
      // The marker is a file, and one that is damaged is made anew.
      if (report) CHECK(report->sound() == (is_marker && plot.is_file()));
      if (!report) check_refused(report);
    }
  }
}

TEST_CASE("the place itself may be reached through a link, and a file in its place is unavailable") {
  for_each_directory([](Place& place) {
    place.save("s", 1);
    const auto link = place.directory.path() / "link";
    std::filesystem::create_directory_symlink(place.root(), link);
    auto through = open_store(place.scheme + ":" + link.string()).value();
    CHECK(blocking::append(*through, SessionId("s"), {Message("user", "x")}));
    check_sound(*through);
    const auto file = place.directory.path() / "file";
    Place::write(file, "");
    auto on_file = open_store(place.scheme + ":" + file.string()).value();
    CHECK(blocking::save(*on_file, Session("s")).error().code() == Errc::unavailable);
    CHECK(blocking::load(*on_file, SessionId("s")).error().code() == Errc::unavailable);
  });
}

TEST_CASE("a write to a session whose file has a second name leaves what that name shows as it was") {
  for_each_directory([](Place& place) {
    place.save("s", 2);
    // As a backup by hard links makes it.
    const auto backup = place.directory.path() / "backup";
    std::filesystem::create_hard_link(place.file("s"), backup);
    const std::string before = Place::read(backup);
    place.append("s", "more");
    CHECK(Place::read(backup) == before);
    CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 3);
    std::filesystem::remove(backup);
    check_sound(*place.store);
    // Two names in the store itself: the id inside decides.
    std::filesystem::create_hard_link(place.file("s"), place.file("twin"));
    check_refused(blocking::append(*place.store, SessionId("twin"), {Message("user", "x")}));
    CHECK(Place::count(place.repair(), FindingKind::corrupt) == 1);
    check_sound(*place.store);
    CHECK((*blocking::load(*place.store, SessionId("s")))->messages.size() == 3);
  });
}

TEST_CASE("a file planted as a session's by a hard link is written to by no operation") {
  const std::vector<std::function<bool(Place&)>> operations = {
      [](Place& place) { return place.append("s", "x").revision > 0; },
      [](Place& place) { return place.save("s", 1).revision > 0; },
      [](Place& place) {
        const Mutation rename([](Session& session) { session.title = "another"; });
        return blocking::update(*place.store, SessionId("s"), rename).has_value();
      },
      [](Place& place) { return blocking::remove(*place.store, SessionId("s")).has_value(); },
      [](Place& place) { return place.repair().sound(); },
  };
  for_each_planted([](const Place& place) { return place.file("s"); },
                   [&operations](Place& place, Plot& plot) {
                     if (!plot.is_file()) return;
                     for (std::size_t i = 0; i < operations.size(); ++i) {
                       CAPTURE(i);
                       plot.plant_again();
                       CHECK(operations[i](place));
                       plot.treasure.check_untouched();
                     }
                   });
}

}  // namespace sessile::testing
