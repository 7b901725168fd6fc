// JSON, sessions and file names.
#include "fuzz/targets.hpp"

#include <sessile/backend.hpp>
#include <sessile/open.hpp>

namespace sessile::fuzz {
namespace {

Limits small_limits() {
  Limits limits;
  limits.session_bytes = 1 << 20;
  limits.message_bytes = 1 << 16;
  limits.depth = 40;
  return limits;
}

bool may_refuse(const Error& error) {
  const Errc code = error.code();
  return code == Errc::invalid_argument || code == Errc::corrupt || code == Errc::too_large ||
         code == Errc::unsupported;
}

/// What was read can be written, and what was written is read back as the same.
void check_round_trip(const Session& session, const Limits& limits) {
  const auto measured = measure(session, limits);
  if (!measured) {
    require(may_refuse(measured.error()), "measure refuses with a fitting error");
    return;
  }
  const std::string text = encode_session(session);
  require(text.find('\n') == std::string::npos, "a session's JSON is one line");
  const auto again = decode_session(text, Origin::stored, limits);
  require(again.has_value(), "what was encoded can be decoded");
  require(again->same_content(session), "what was decoded is what was encoded");
  require(encode_session(*again) == text, "encoding again gives the same text");
  const std::string document = encode_document(session, AppendMemory());
  const auto stored = decode_document(document, limits);
  require(stored.has_value() && stored->session.same_content(session), "a document is read back as it was");
  const auto head = decode_head(document);
  if (!head) return;
  SessionSummary summary = summarize(stored->session);
  summary.stored_bytes = head->stored_bytes;
  require(*head == summary, "the head of a document has the summary of its session");
}

}  // namespace

void session_json(std::string_view bytes) {
  const Limits limits = small_limits();
  for (const Origin origin : {Origin::caller, Origin::stored}) {
    const auto session = decode_session(bytes, origin, limits);
    if (session) {
      check_round_trip(*session, limits);
    } else {
      require(may_refuse(session.error()), "decode_session refuses with a fitting error");
      require(session.error().offset().value_or(0) <= bytes.size(), "a fault is inside the text");
    }
  }
  (void)decode_head(bytes);
  decode_document(bytes, limits).ignore();
  const auto message = decode_message(bytes, Origin::caller, limits);
  if (!message || !measure(*message, limits).has_value()) return message.ignore();
  const auto again = decode_message(encode_message(*message), Origin::stored, limits);
  require(again.has_value() && *again == *message, "a message is read back as it was");
}

void json_text(std::string_view bytes) {
  Limits limits = small_limits();
  const auto value = parse_json(bytes, Origin::caller, limits);
  if (!value) return require(may_refuse(value.error()), "parse_json refuses with a fitting error");
  std::string text;
  write_json(text, *value);
  limits.session_bytes *= 8;  // escapes are longer than what they stand for
  const auto again = parse_json(text, Origin::stored, limits);
  require(again.has_value() && *again == *value, "a value is read back as it was");
  std::string second;
  write_json(second, *again);
  require(second == text, "writing again gives the same text");
}

void file_names(std::string_view bytes) {
  const std::string name = file_name(bytes);
  require(!name.empty() && name.size() <= 180, "a name is neither empty nor too long");
  require(name.front() != '.', "a name does not begin with a dot");
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.' || c == '%' || c == '~';
    require(plain, "a name is one safe component");
  }
  const auto back = id_of_file_name(name);
  require(!back || *back == bytes, "a name stands for its own id only");
  require(back.has_value() || bytes.size() > 50, "a short name can be read back");
  if (const auto id = id_of_file_name(bytes)) require(file_name(*id) == bytes, "one id has one name");
  Input input(bytes);
  const std::string_view first = input.line();
  require((file_name(first) == file_name(input.rest())) == (first == input.rest()), "two ids have two names");
  (void)is_plain_file_name(bytes);
  StoreUrl::parse(bytes).ignore();
  (void)parse_time(bytes);
}

}  // namespace sessile::fuzz
