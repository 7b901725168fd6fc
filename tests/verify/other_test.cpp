// The check and the repair of documents, of a daemon's state and of logs; and the command.
#include "places.hpp"
#include "storage/log_record.hpp"
#include "support/run.hpp"

#include <sys/wait.h>

#include <cstdlib>

namespace sessile::testing {

namespace {

/// A repair leaves a report in which nothing is left to do, and the second finds nothing.
template <class Verify>
VerifyReport repaired_twice(Verify verify) {
  const VerifyReport first = run(verify(VerifyOptions().repair())).value();
  CHECK(first.sound());
  for (const Finding& finding : first.findings)
    CHECK_MESSAGE(finding.repaired, told(finding));
  check_sound(run(verify(VerifyOptions())));
  CHECK(run(verify(VerifyOptions().repair())).value().findings.empty());
  return first;
}

const Finding& only(const VerifyReport& report) {
  REQUIRE(report.findings.size() == 1);
  return report.findings[0];
}

}  // namespace

TEST_CASE("verify of documents goes through all categories and repairs each under its lock") {
  const TemporaryDirectory directory;
  const auto base = directory.path() / "state";
  const auto documents = open_documents(base).value();
  const auto verify = [&documents](VerifyOptions options) { return documents.verify(std::move(options)); };
  CHECK(run(documents.verify()).value().checked == 0);
  run(documents.save_json("agents/planner", "plan", {{"steps", 3}})).value();
  run(documents.save_markdown("agents/planner", "notes", "# Notes\n")).value();
  run(documents.save_json("agents", "all", {{"count", 1}})).value();
  CHECK(run(documents.verify()).value().checked == 3);
  check_sound(run(documents.verify()));

  Place::write(base / "agents" / "planner" / "plan.json", "{\"steps\": 3,, }");
  Place::write(base / "agents" / "planner" / "notes.md", "# N\xff\xfe");
  Place::write(base / "agents" / "all.json.tmp.99.0123456789abcdef", "half");
  const auto found = run(documents.verify()).value();
  CHECK(Place::count(found, FindingKind::corrupt) == 2);
  CHECK(Place::count(found, FindingKind::leftover) == 1);
  for (const Finding& finding : found.findings) {
    if (finding.kind == FindingKind::corrupt) CHECK(finding.offset);
  }
  CHECK(Place::read(base / "agents" / "planner" / "notes.md") == "# N\xff\xfe");
  const auto repaired = repaired_twice(verify);
  for (const Finding& finding : repaired.findings) {
    if (finding.kind != FindingKind::corrupt) continue;
    CHECK(finding.quarantine.starts_with((base / "agents" / "planner" / ".quarantine").string()));
    CHECK_FALSE(Place::read(finding.quarantine).empty());
  }
  CHECK_FALSE(run(documents.load_json("agents/planner", "plan")).value());
  CHECK(run(documents.list("agents")).value() == std::vector<std::string>{"all"});

  Place::write(base / "agents" / "all.json", "no");
  {
    const auto lock = run(documents.lock("agents")).value();
    const auto quick =
        open_documents(base,
                       DocumentStoreOptions().lock(LockOptions().timeout(std::chrono::milliseconds(50))))
            .value();
    CHECK(only(run(quick.verify(VerifyOptions().repair())).value()).kind == FindingKind::busy);
    CHECK(Place::read(base / "agents" / "all.json") == "no");
  }
}

TEST_CASE("verify tells of a daemon's state that is malformed, and its repair keeps the rest") {
  const TemporaryDirectory directory;
  const auto documents = open_documents(directory.path()).value();
  const auto verify = [&documents](VerifyOptions options) { return documents.verify(std::move(options)); };
  run(documents.save_json("daemon", "state",
                          {{"fsm_state", "SLEEP"}, {"first_turn_pending", 7}, {"kept", 1}}))
      .value();
  const auto finding = only(repaired_twice(verify));
  CHECK(finding.kind == FindingKind::corrupt);
  CHECK(Place::read(finding.quarantine).find("\"first_turn_pending\": 7") != std::string::npos);
  const auto healed = run(documents.read_json("daemon", "state")).value().value;
  CHECK(healed.as_object().at("kept") == 1);
  CHECK_FALSE(healed.as_object().contains("first_turn_pending"));
}

TEST_CASE("verify of a session log tells torn lines from damaged ones, and repair keeps every turn") {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "session.jsonl";
  SessionLog log(file, {{"model", "m"}});
  const auto verify = [&log](VerifyOptions options) { return log.verify(std::move(options)); };
  check_sound(run(log.verify()));
  run(log.append(Message("user", "one"))).value();
  const std::string good = Place::read(file);
  // Torn right behind an inner object.
  const std::string torn = "{\"role\":\"user\",\"content\":{\"a\":1}";
  const std::string damaged = "{\"role\":\"user\"\x01\"content\":\"two\"}";
  Place::write(file, good + torn + "\n" + damaged + "\n" + std::string(7, '\0') + "\n");
  run(log.append(Message("user", "three"))).value();
  const std::string before = Place::read(file);
  const auto found = run(log.verify()).value();
  REQUIRE(found.findings.size() == 3);
  CHECK(found.findings[0].kind == FindingKind::torn);
  CHECK(found.findings[0].offset == good.size());
  CHECK(found.findings[1].kind == FindingKind::corrupt);
  CHECK(found.findings[1].offset == good.size() + torn.size() + 1);
  CHECK(found.findings[2].kind == FindingKind::torn);
  CHECK_FALSE(found.sound());
  const auto report = repaired_twice(verify);
  CHECK(Place::read(report.findings[0].quarantine) == before);
  const auto loaded = run(log.load()).value();
  CHECK(loaded.turns.size() == 2);
  CHECK(loaded.skipped.empty());
  CHECK(loaded.meta.at("model") == "m");
  run(log.append(Message("user", "four"))).value();
  check_sound(run(log.verify()));
}

TEST_CASE("verify of a session log calls a damaged turn damage, wherever a byte of it was changed") {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "session.jsonl";
  SessionLog log(file);
  run(log.append(Message("user", "one"))).value();
  run(log.append(Message("assistant", "two"))).value();
  const std::string good = Place::read(file);
  const std::size_t line = good.rfind("{\"role\"");
  std::size_t torn = 0;
  for (std::size_t at = line; at + 1 < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = '!';
    Place::write(file, bytes);
    const auto report = run(log.verify()).value();
    torn += static_cast<std::size_t>(Place::count(report, FindingKind::torn));
    if (good[at] != '"' && report.findings.size() == 1 && good[at] != '}') CHECK_FALSE(report.sound());
  }
  // A quote in the place of another, and the last brace, are what a write that was cut off could be.
  CHECK(torn < 12);
  for (std::size_t end = line + 1; end + 1 < good.size(); ++end) {
    Place::write(file, good.substr(0, end));
    const auto report = run(log.verify()).value();
    REQUIRE(report.findings.size() == 1);
    CHECK(report.findings[0].kind == FindingKind::torn);
  }
  Place::write(file, good.substr(0, line + 20) + std::string(30, '\0') + "\n");
  CHECK(only(run(log.verify()).value()).kind == FindingKind::torn);
  Place::write(file, good.substr(0, line + 20) + std::string(3, '\0') + good.substr(line + 23));
  CHECK(only(run(log.verify()).value()).kind == FindingKind::corrupt);
}

TEST_CASE("repair of a session log leaves JSON that is over the limits where it is") {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "session.jsonl";
  Limits limits;
  limits.message_bytes = 100;
  limits.depth = 10;
  SessionLog log(file, json::object(), LogOptions().limits(limits));
  run(log.append(Message("user", "one"))).value();
  const std::string text = Place::read(file) + "[" + std::string(200, '1') + "]\n" + std::string(20, '[') +
                           std::string(20, ']') + "\n{\"role\":\"user\",\"content\":\"" +
                           std::string(200, 'x') + "\"}\n";
  Place::write(file, text);
  const auto report = run(log.verify(VerifyOptions().repair())).value();
  CHECK(Place::count(report, FindingKind::too_large) == 3);
  CHECK(report.findings.size() == 3);
  CHECK(Place::read(file) == text);
}

TEST_CASE("repair of a damaged memory leaves one alone that a later version wrote") {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "memory.jsonl";
  const std::string text = storage::frame_record(1, R"("memory":{"format":2,"entries":["all"]})") +
                           "damaged\n" +
                           storage::frame_record(3, R"("add":{"id":1,"kind":"fact","content":"x"})");
  Place::write(file, text);
  const auto finding = only(run(MemoryLog::verify(file, VerifyOptions().repair())).value());
  CHECK_FALSE(finding.repaired);
  CHECK(finding.failure->code() == Errc::unsupported);
  CHECK(Place::read(file) == text);
}

TEST_CASE("verify of a memory keeps every item that can be read, and gives no id twice") {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "memory.jsonl";
  const auto verify = [&file](VerifyOptions options) { return MemoryLog::verify(file, std::move(options)); };
  check_sound(run(MemoryLog::verify(file)));
  const auto remember = [&file](const std::string& text) {
    auto memory = run(MemoryLog::open(file)).value();
    return run(memory.add(MemoryKind::fact, text)).value().id;
  };
  for (const char* text : {"first", "second", "third", "fourth"})
    remember(text);
  check_sound(run(MemoryLog::verify(file)));
  std::string bytes = Place::read(file);
  SUBCASE("damage in the middle") {
    bytes.replace(bytes.find("second"), 6, "SECOND");
    Place::write(file, bytes);
    CHECK(run(MemoryLog::open(file)).error().code() == Errc::corrupt);
    const auto finding = only(run(MemoryLog::verify(file)).value());
    CHECK(finding.kind == FindingKind::corrupt);
    CHECK(*finding.offset < bytes.find("SECOND"));
    CHECK(Place::read(only(repaired_twice(verify)).quarantine) == bytes);
    auto memory = run(MemoryLog::open(file)).value();
    CHECK(run(memory.list()).value().size() == 3);
    run(memory.close()).value();
    CHECK(remember("fifth") > 4);
  }
  SUBCASE("damage of the last record, whose id was given out") {
    bytes.replace(bytes.find("fourth"), 6, "FOURTH");
    Place::write(file, bytes);
    repaired_twice(verify);
    CHECK(remember("fifth") == 5);
  }
  SUBCASE("nothing that can be read") {
    Place::write(file, "garbage\nand more\n");
    repaired_twice(verify);
    auto memory = run(MemoryLog::open(file)).value();
    CHECK(run(memory.list()).value().empty());
  }
  SUBCASE("a torn record") {
    bytes.resize(bytes.find_last_not_of('\n') + 2);
    Place::write(file, bytes + "{\"crc\":\"0123");
    Place::write(file.string() + ".holder.tmp.99.0123456789abcdef", "half");
    const auto found = run(MemoryLog::verify(file)).value();
    CHECK(found.sound());
    CHECK(Place::count(found, FindingKind::torn) == 1);
    CHECK(Place::count(found, FindingKind::leftover) == 1);
    repaired_twice(verify);
    CHECK(Place::read(file) == bytes);
  }
  SUBCASE("a handle that is open") {
    auto memory = run(MemoryLog::open(file)).value();
    Place::write(file, "garbage");
    LogOptions quick;
    quick.lock(LockOptions().timeout(std::chrono::milliseconds(50)));
    CHECK(only(run(MemoryLog::verify(file, VerifyOptions().repair(), quick)).value()).kind ==
          FindingKind::busy);
    CHECK(Place::read(file) == "garbage");
  }
}

#ifdef SESSILE_COMMAND
namespace {

class Ran {
 public:
  int code = -1;
  std::string out;
};

Ran sessile_command(const Place& place, const std::string& arguments) {
  const auto out = place.directory.path() / "out";
  const std::string line = "cd '" + place.directory.path().string() + "' && '" SESSILE_COMMAND "' " +
                           arguments + " > '" + out.string() + "' 2>&1 < /dev/null";
  const int status = std::system(line.c_str());
  Ran ran;
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ran.out = Place::read(out);
  return ran;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("sessile verify tells damage by path and byte, exits with 6, and its repair says what it did") {
  Place place("jsondir");
  place.save("good", 2);
  place.save("bad", 2);
  const std::string on_store = "--store jsondir:store ";
  Ran ran = sessile_command(place, on_store + "verify");
  CHECK(ran.code == 0);
  CHECK(ran.out == "checked 2: all is as it should be\n");
  std::string log = place.read(place.file("bad"));
  log[log.find("message 0")] = 'M';
  place.write(place.file("bad"), log);

  ran = sessile_command(place, on_store + "verify");
  CHECK(ran.code == 6);
  CHECK(holds(ran.out, "corrupt: "));
  CHECK(holds(ran.out, "/store/sessions/bad.jsonl, byte 0"));
  CHECK(holds(ran.out, "--repair mends"));
  ran = sessile_command(place, on_store + "--json verify");
  CHECK(ran.code == 6);
  const auto first = parse_json(ran.out.substr(0, ran.out.find('\n')), Origin::caller).value();
  CHECK(first.at("kind") == "corrupt");
  CHECK(first.at("offset") == 0);
  CHECK(first.at("damage") == true);
  CHECK(holds(ran.out, "\"damage_left\":1"));

  ran = sessile_command(place, on_store + "verify --repair");
  CHECK(ran.code == 0);
  CHECK(holds(ran.out, "kept in "));
  CHECK(holds(ran.out, "no damage is left"));
  ran = sessile_command(place, on_store + "verify --repair");
  CHECK(ran.out == "checked 1: all is as it should be\n");
  CHECK(holds(sessile_command(place, "verify --help").out, "It destroys nothing"));
}

TEST_CASE("sessile verify tells what it found and repaired before a check that cannot be made") {
  Place place("jsondir");
  place.save("bad", 2);
  place.write(place.file("bad"), "garbage");
  place.write(place.directory.path() / "file", "");
  const std::string memory = " --memory file/memory.jsonl";
  Ran ran = sessile_command(place, "--store jsondir:store verify" + memory);
  CHECK(ran.code == 6);
  CHECK(holds(ran.out, "corrupt: "));
  CHECK(holds(ran.out, "unavailable"));
  ran = sessile_command(place, "--store jsondir:store verify --repair" + memory);
  CHECK(ran.code == 1);
  CHECK(holds(ran.out, "kept in "));
  CHECK(holds(ran.out, "unavailable"));
}

TEST_CASE("sessile verify checks documents and logs that are named, and says what is in use") {
  Place place("file");
  place.save("s", 1);
  place.write(place.directory.path() / "session.jsonl", "{\"role\":\"user\",\"content\":\"a\"}\nnot json\n");
  std::filesystem::create_directories(place.directory.path() / "state" / "c");
  place.write(place.directory.path() / "state" / "c" / "d.json", "{}");
  Ran ran = sessile_command(place, "verify --documents state --log session.jsonl --memory none.jsonl");
  CHECK(ran.code == 6);
  CHECK(holds(ran.out, "session.jsonl, byte 30"));
  CHECK(holds(ran.out, "checked 3: 1 found"));
  CHECK(sessile_command(place, "verify").code == 2);
  place.write(place.file("s"), "garbage");
  const auto lock = place.lock("s");
  ran = sessile_command(place, "--store 'file:store?lock_timeout=10ms' verify --repair");
  CHECK(ran.code == 1);
  CHECK(holds(ran.out, "busy: "));
  CHECK(place.read(place.file("s")) == "garbage");
}
#endif

}  // namespace sessile::testing
