// The checker, by histories made by hand: each impossible one differs from a possible one in a single answer.
#include "linearizability/checker.hpp"

#include <doctest/doctest.h>

using namespace sessile::linearizability;
using sessile::Revision;

namespace {

/// Operations on one session, built one after another.
class Script {
 public:
  Operation& add(Kind kind, std::int64_t invoked, std::int64_t returned) {
    Operation operation;
    operation.kind = kind;
    operation.invoked = invoked;
    operation.returned = returned;
    operation.outcome = Outcome::ok;
    history_.push_back(operation);
    return history_.back();
  }
  Operation& save(int tag, Revision revision, std::int64_t invoked, std::int64_t returned) {
    return write(Kind::save, tag, revision, invoked, returned);
  }
  Operation& append(int tag, Revision revision, std::int64_t invoked, std::int64_t returned) {
    return write(Kind::append, tag, revision, invoked, returned);
  }
  Operation& load(Revision revision, Content content, std::int64_t invoked, std::int64_t returned) {
    Operation& operation = add(Kind::load, invoked, returned);
    operation.revision = revision;
    operation.content = std::move(content);
    return operation;
  }
  Operation& missing(Kind kind, std::int64_t invoked, std::int64_t returned) {
    Operation& operation = add(kind, invoked, returned);
    operation.outcome = Outcome::not_found;
    return operation;
  }
  Operation& unknown(Kind kind, int tag, std::int64_t invoked) {
    Operation& operation = add(kind, invoked, kNever);
    operation.tag = tag;
    operation.outcome = Outcome::unknown;
    return operation;
  }
  bool possible() const { return check(history_).linearizable; }
  const History& history() const { return history_; }

 private:
  Operation& write(Kind kind, int tag, Revision revision, std::int64_t invoked, std::int64_t returned) {
    Operation& operation = add(kind, invoked, returned);
    operation.tag = tag;
    operation.revision = revision;
    return operation;
  }
  History history_;
};

Content content(int base, std::vector<int> messages) {
  Content made;
  made.base = base;
  made.messages = std::move(messages);
  return made;
}

}  // namespace

TEST_CASE("a history of one after another is possible, and a read of what was replaced is not") {
  Script good;
  good.save(1, 100, 0, 1);
  good.append(2, 101, 2, 3);
  good.load(101, content(1, {1, 2, -2}), 4, 5);
  CHECK(good.possible());
  Script stale;
  stale.save(1, 100, 0, 1);
  stale.append(2, 101, 2, 3);
  stale.load(100, content(1, {1}), 4, 5);
  CHECK_FALSE(stale.possible());
}

TEST_CASE("a read beside a write may see either state, but two reads in a row may not go back") {
  for (const bool forwards : {true, false}) {
    Script script;
    script.save(1, 100, 0, 1);
    script.append(2, 101, 2, 9);
    script.load(forwards ? 100 : 101, forwards ? content(1, {1}) : content(1, {1, 2, -2}), 3, 4);
    script.load(forwards ? 101 : 100, forwards ? content(1, {1, 2, -2}) : content(1, {1}), 5, 6);
    CHECK(script.possible() == forwards);
  }
}

TEST_CASE("an update that loses another's is impossible") {
  Script script;
  script.save(2, 100, 0, 1);
  script.append(3, 101, 2, 9);
  script.append(4, 102, 2, 9);
  Script lost = script;
  script.load(102, content(2, {2, 3, -3, 4, -4}), 10, 11);
  CHECK(script.possible());
  lost.load(102, content(2, {2, 4, -4}), 10, 11);
  CHECK_FALSE(lost.possible());
}

TEST_CASE("one revision for two writes is impossible") {
  Script script;
  script.save(1, 100, 0, 1);
  script.append(2, 101, 2, 9);
  script.append(3, 101, 2, 9);
  CHECK_FALSE(script.possible());
}

TEST_CASE("two creations of one session are impossible, unless it was removed between them") {
  for (const bool removed : {false, true}) {
    Script script;
    script.save(1, 100, 0, 5).expect = Expect::absent;
    script.save(2, 200, 0, 5).expect = Expect::absent;
    if (removed) script.add(Kind::remove, 0, 5);
    CHECK(script.possible() == removed);
  }
}

TEST_CASE("a new session under a removed one's revision is impossible") {
  for (const Revision second : {Revision{100}, Revision{101}}) {
    Script script;
    script.save(1, 100, 0, 1);
    script.add(Kind::remove, 2, 3);
    script.save(2, second, 4, 5);
    CHECK(script.possible() == (second > 100));
  }
}

TEST_CASE("a write whose revision was not checked is impossible") {
  Script script;
  script.save(1, 100, 0, 1);
  script.append(2, 101, 2, 3);
  Script refused = script;
  Operation& unchecked = script.append(3, 102, 4, 5);
  unchecked.expect = Expect::exactly;
  unchecked.expected = 100;
  CHECK_FALSE(script.possible());
  Operation& conflict = refused.append(3, 0, 4, 5);
  conflict.expect = Expect::exactly;
  conflict.expected = 100;
  conflict.outcome = Outcome::conflict;
  conflict.actual = 101;
  CHECK(refused.possible());
  Script wrong = refused;
  wrong.load(102, content(1, {1, 2, -2, 3, -3}), 6, 7);
  CHECK_FALSE(wrong.possible());
}

TEST_CASE("a session that comes back after its removal is impossible") {
  Script script;
  script.save(1, 100, 0, 1);
  script.add(Kind::remove, 2, 3);
  Script absent = script;
  absent.missing(Kind::load, 4, 5);
  absent.missing(Kind::append, 4, 5);
  CHECK(absent.possible());
  script.load(100, content(1, {1}), 4, 5);
  CHECK_FALSE(script.possible());
}

TEST_CASE("not_found of a session that is there throughout is impossible") {
  Script script;
  script.save(1, 100, 0, 1);
  script.missing(Kind::load, 2, 3);
  CHECK_FALSE(script.possible());
}

TEST_CASE("an unknown outcome may take effect late, or never, but not before its call, nor twice") {
  const Content appended = content(1, {1, 2, -2});
  Script script;
  script.save(1, 100, 0, 1);
  script.unknown(Kind::append, 2, 2);
  CHECK(script.possible());
  Script never = script;
  never.load(100, content(1, {1}), 50, 51);
  CHECK(never.possible());
  Script late = never;
  late.load(101, appended, 60, 61);
  CHECK(late.possible());
  Script undone = late;
  undone.load(100, content(1, {1}), 70, 71);
  CHECK_FALSE(undone.possible());
  Script twice = script;
  twice.load(102, content(1, {1, 2, -2, 2, -2}), 60, 61);
  CHECK_FALSE(twice.possible());
  Script early;
  early.save(1, 100, 0, 1);
  early.load(101, appended, 2, 3);
  early.unknown(Kind::append, 2, 4);
  CHECK_FALSE(early.possible());
}

TEST_CASE("a revision that a lost answer left unknown is settled by the first who sees it") {
  Script script;
  script.unknown(Kind::save, 1, 0);
  script.append(2, 501, 10, 11);
  Script same = script;
  same.load(501, content(1, {1, 2, -2}), 12, 13);
  CHECK(same.possible());
  script.load(777, content(1, {1, 2, -2}), 12, 13);
  CHECK_FALSE(script.possible());
}

TEST_CASE("an idempotency key takes effect once, and its replay has the first revision") {
  Script script;
  script.save(1, 100, 0, 1);
  script.append(2, 101, 2, 9).key = 7;
  Script replayed = script;
  Operation& replay = replayed.append(2, 101, 3, 8);
  replay.key = 7;
  replay.replayed = true;
  CHECK(replayed.possible());
  Script other = script;
  Operation& wrong = other.append(2, 102, 3, 8);
  wrong.key = 7;
  wrong.replayed = true;
  CHECK_FALSE(other.possible());
  script.append(2, 102, 3, 8).key = 7;
  CHECK_FALSE(script.possible());
}

TEST_CASE("what timed out had no effect") {
  Script script;
  script.save(1, 100, 0, 1);
  script.append(2, 0, 2, 3).outcome = Outcome::nothing;
  Script untouched = script;
  untouched.load(100, content(1, {1}), 4, 5);
  CHECK(untouched.possible());
  script.load(101, content(1, {1, 2, -2}), 4, 5);
  CHECK_FALSE(script.possible());
}

TEST_CASE("a fault is reported with no more operations than it takes to see it") {
  Script script;
  script.save(1, 100, 0, 1);
  for (int i = 0; i < 12; ++i) {
    script.append(10 + i, 101 + static_cast<Revision>(i), 10 * i + 2, 10 * i + 3);
    script.missing(Kind::append, 10 * i + 4, 10 * i + 5).outcome = Outcome::nothing;
  }
  // The fourth append is lost, which the first read shows; the second one is not needed.
  script.load(101, content(1, {1, 10, -10}), 24, 25);
  script.load(102, content(1, {1, 10, -10, 11, -11}), 25, 26);
  const History shrunk = shrink(script.history());
  CHECK_FALSE(check(shrunk).linearizable);
  CHECK(shrunk.size() <= 5);
  const std::string fault = fault_of(script.history());
  CHECK(fault.find("load -> ok revision 101") != std::string::npos);
  CHECK(fault.find("#15") == std::string::npos);
}

TEST_CASE("a journal is read back as it was written, but for what a kill cut off") {
  Operation operation;
  operation.kind = Kind::update;
  operation.process = 2;
  operation.expect = Expect::exactly;
  operation.expected = 9;
  operation.tag = 4;
  operation.invoked = 17;
  std::string journal = invocation_line(0, operation);
  Operation second = operation;
  journal += invocation_line(1, second);
  operation.outcome = Outcome::ok;
  operation.revision = 10;
  operation.returned = 19;
  operation.content = content(4, {1, 4});
  journal += return_line(0, operation);
  const History read = read_journal(journal + "back 1 0 11");
  REQUIRE(read.size() == 2);
  CHECK(read[0].text() == operation.text());
  CHECK(read[0].returned == 19);
  CHECK(read[1].outcome == Outcome::unknown);
  CHECK(read[1].returned == kNever);
  CHECK_THROWS_AS(read_journal("bad a torn message\n"), std::runtime_error);
  CHECK_THROWS_AS(read_journal("rubbish .\n"), std::runtime_error);
}
