// Depth bombs, lines without an end, and monstrous numbers: limits hold, memory stays bounded, and every
// backend answers alike. SESSILE_LIMITS_URL adds a store at any URL.
#include "verify/places.hpp"

#include <cstdlib>
#include <limits>
#include <map>
#include <set>

namespace sessile::testing {

namespace {

/// The answers of one operation on every backend.
class Answers {
 public:
  template <class T>
  void add(const std::string& backend, const Result<T>& result) {
    answers_[backend] = result ? "ok" : std::string(name(result.error().code()));
  }
  void check(const std::string& expected) const {
    for (const auto& [backend, answer] : answers_)
      CHECK_MESSAGE(answer == expected, backend, " answers ", answer, ", not ", expected);
  }

 private:
  std::map<std::string, std::string> answers_;
};

json::value nested(int depth) {
  json::value value = json::value("end");
  for (int i = 0; i < depth; ++i) {
    json::array outer;
    outer.push_back(std::move(value));
    value = std::move(outer);
  }
  return value;
}

class Backends {
 public:
  explicit Backends(const Limits& limits) {
    for (const std::string scheme : {"memory", "file", "jsondir"}) {
      const std::string url =
          scheme == "memory" ? "memory:" : scheme + ":" + (place_.path() / scheme).string();
      stores_[scheme] = open_store(url, OpenOptions().limits(limits)).value();
    }
    if (const char* url = std::getenv("SESSILE_LIMITS_URL"); url != nullptr) {
      stores_["the URL given"] = open_store(url, OpenOptions().limits(limits)).value();
    }
  }
  /// Every backend answers `expected`, and holds afterwards what it held before unless that is "ok".
  void save(const Session& session, const std::string& expected) {
    Answers answers;
    for (auto& [scheme, store] : stores_) {
      answers.add(scheme, blocking::save(*store, session));
      const bool there = blocking::load(*store, session.id).has_value();
      CHECK_MESSAGE(there == (expected == "ok"), scheme);
    }
    answers.check(expected);
  }
  void append(const std::string& id, const Message& message, const std::string& expected) {
    Answers answers;
    for (auto& [scheme, store] : stores_) {
      const auto before = (*blocking::load(*store, SessionId(id)))->messages.size();
      answers.add(scheme, blocking::append(*store, SessionId(id), {message}));
      const auto after = (*blocking::load(*store, SessionId(id)))->messages.size();
      CHECK_MESSAGE(after == before + (expected == "ok" ? 1 : 0), scheme);
    }
    answers.check(expected);
  }
  /// What the session counts against the limit: the same in every backend.
  std::uint64_t measured(const std::string& id) {
    std::set<std::uint64_t> sizes;
    for (auto& [scheme, store] : stores_)
      sizes.insert(measure(*blocking::load(*store, SessionId(id)).value(), Limits()).value());
    REQUIRE(sizes.size() == 1);
    return *sizes.begin();
  }
  void check_sound() {
    for (auto& [scheme, store] : stores_)
      testing::check_sound(*store);
  }

 private:
  const TemporaryDirectory place_;
  std::map<std::string, std::shared_ptr<SessionStore>> stores_;
};

}  // namespace

TEST_CASE("33 depth bombs: the limit is the same on every backend, to the level") {
  Limits limits;
  Backends backends(limits);
  const auto bomb = [](const std::string& id, int depth) {
    Session session(id);
    session.add_message("user", nested(depth));
    return session;
  };
  // The session, its messages and the message are three levels.
  backends.save(bomb("fits", static_cast<int>(limits.depth) - 3), "ok");
  backends.save(bomb("one_too_deep", static_cast<int>(limits.depth) - 2), "too_large");
  backends.save(bomb("bomb", 5000), "too_large");
  Message deep("user", nested(5000));
  backends.append("fits", deep, "too_large");
  Session metadata("metadata");
  metadata.metadata["deep"] = nested(5000);
  backends.save(metadata, "too_large");
  backends.check_sound();
}

TEST_CASE("33 size limits of a message and a session are the same on every backend, to the byte") {
  Limits limits;
  limits.message_bytes = 10000;
  limits.session_bytes = 30000;
  Backends backends(limits);
  const std::uint64_t empty = measure(Message("user", json::value("")), Limits()).value();
  const auto sized = [empty](std::uint64_t bytes) {
    return Message("user", json::value(std::string(bytes - empty, 'x')));
  };
  Session session("s");
  session.messages.push_back(sized(limits.message_bytes));
  backends.save(session, "ok");
  Session large("large");
  large.messages.push_back(sized(limits.message_bytes + 1));
  backends.save(large, "too_large");
  backends.append("s", sized(limits.message_bytes + 1), "too_large");
  backends.append("s", sized(limits.message_bytes), "ok");
  backends.append("s", sized(limits.message_bytes), "too_large");
  // But for the comma before it.
  const std::uint64_t room = limits.session_bytes - backends.measured("s") - 1;
  backends.append("s", sized(room + 1), "too_large");
  backends.append("s", sized(room), "ok");
  Session many("many");
  for (int i = 0; i < 4; ++i)
    many.messages.push_back(sized(limits.message_bytes));
  backends.save(many, "too_large");
  backends.check_sound();
}

TEST_CASE("33 what is stored and beyond the limits that a store was opened with is not read") {
  const TemporaryDirectory place;
  std::vector<std::string> urls{"file:" + (place.path() / "file").string(),
                                "jsondir:" + (place.path() / "jsondir").string()};
  if (const char* url = std::getenv("SESSILE_LIMITS_URL"); url != nullptr) urls.push_back(url);
  Session session("read-limits");
  for (const std::size_t size : {100U, 5000U, 100U})
    session.add_message("user", json::value(std::string(size, 'x')));
  const std::uint64_t bytes = measure(session, Limits()).value();
  const std::uint64_t longest = measure(session.messages[1], Limits()).value();
  for (const std::string& url : urls) {
    CAPTURE(url);
    blocking::save(*open_store(url).value(), session).value();
    const auto answer = [&](std::uint64_t message_bytes, std::uint64_t session_bytes) {
      Limits limits;
      limits.message_bytes = message_bytes;
      limits.session_bytes = session_bytes;
      const auto store = open_store(url, OpenOptions().limits(limits)).value();
      const auto loaded = blocking::load(*store, session.id);
      return loaded ? std::string("ok") : std::string(name(loaded.error().code()));
    };
    CHECK(answer(longest, bytes) == "ok");
    CHECK(answer(longest - 1, bytes) == "too_large");
    CHECK(answer(longest, bytes - 1) == "too_large");
    blocking::remove(*open_store(url).value(), session.id).value();
  }
}

TEST_CASE("33 numbers that cannot be kept exactly, and text that is no UTF-8, are refused alike") {
  Backends backends{Limits()};
  const auto with = [](const std::string& id, json::value value) {
    Session session(id);
    session.add_message("user", std::move(value));
    return session;
  };
  backends.save(with("infinity", std::numeric_limits<double>::infinity()), "invalid_argument");
  backends.save(with("nan", std::numeric_limits<double>::quiet_NaN()), "invalid_argument");
  backends.save(with("utf8", json::value("\xff\xfe")), "invalid_argument");
  backends.save(with("surrogate", json::value("\xed\xa0\x80")), "invalid_argument");
  backends.save(with("nul", json::value(std::string("a\0b", 3))), "ok");
  backends.save(with("least", std::numeric_limits<std::int64_t>::min()), "ok");
  backends.save(with("most", std::numeric_limits<std::uint64_t>::max()), "ok");
  backends.save(with("smallest", 5e-324), "ok");
  backends.check_sound();
}

}  // namespace sessile::testing
