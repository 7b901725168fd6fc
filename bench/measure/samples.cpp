#include "bench/measure/samples.hpp"

#include <sessile/json.hpp>

#include <array>
#include <string>

namespace sessile::bench {

namespace {

constexpr std::uint64_t kMessageBytes = 512;

/// SplitMix64: small, and the same everywhere, unlike the standard distributions.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31U);
  }

 private:
  std::uint64_t state_;
};

// What agents and their tools say: words, code, quotes and line ends that JSON must escape.
constexpr std::array<std::string_view, 24> kWords = {
    "the",      "file", "test", "passes", "returns", "error:", "\"name\"", "build/",
    "main.cpp", "\n",   "line", "42",     "should",  "be",     "fixed",    "because",
    "std::",    "{",    "}",    "a",      "naïve",   "lock,",  "then",     "again."};

std::string words(Random& random, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    text += kWords[random.next() % kWords.size()];
    text += ' ';
  }
  return text;
}

void pad(Message& message, std::uint64_t now, std::uint64_t wanted) {
  if (now >= wanted) return;
  json::string& text = message.content.as_string();
  text.append(static_cast<std::size_t>(wanted - now), '.');
}

Message message_below(std::uint64_t bytes, std::uint64_t seed, bool assistant) {
  Random random(seed);
  Message message(assistant ? "assistant" : "user", json::string());
  const std::uint64_t around = encode_message(message).size();
  if (bytes > around) {
    // Escapes lengthen the text: begin with less, and fill up with what needs none.
    message.content = json::string(words(random, static_cast<std::size_t>((bytes - around) * 3 / 4)));
    while (encode_message(message).size() > bytes) {
      message.content = json::string(std::string(static_cast<std::size_t>(bytes - around), 'x'));
    }
  }
  return message;
}

}  // namespace

Message sample_message(std::uint64_t bytes, std::uint64_t variant) {
  Message message = message_below(bytes, variant, variant % 2 == 1);
  pad(message, encode_message(message).size(), bytes);
  return message;
}

SessionPtr sample_session(SessionId id, AgentId agent, std::uint64_t bytes, std::uint64_t variant,
                          bool only_tail) {
  auto session = std::make_shared<Session>(std::move(id));
  session->set_agent(std::move(agent)).set_user("bench").set_project("sessile").set_title("Benchmark");
  std::uint64_t used = encode_session(*session).size();
  for (std::uint64_t number = 0; used + kMessageBytes < bytes; ++number) {
    const bool last = used + 2 * kMessageBytes >= bytes;
    const std::uint64_t seed = number * 1000003 + (only_tail && !last ? 0 : variant);
    session->add_message(message_below(kMessageBytes - 1, seed, number % 2 == 1));
    pad(session->messages.back(), encode_message(session->messages.back()).size(), kMessageBytes - 1);
    used += kMessageBytes;
  }
  if (session->messages.empty()) session->add_message("user", "");
  pad(session->messages.back(), encode_session(*session).size(), bytes);
  return session;
}

}  // namespace sessile::bench
