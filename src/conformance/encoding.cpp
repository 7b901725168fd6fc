// Text: all of UTF-8 is kept, what is not UTF-8 is refused.
#include "conformance/suite.hpp"

namespace sessile::conformance {
namespace {

using namespace std::string_literals;

/// A session with `text` in every place where a text can be.
Session with_text(Context& c, const std::string& text) {
  Session session = c.session();
  session.set_user(text).set_project(text).set_title(text).set_metadata(text, as_json(text));
  session.add_message(Message(text, as_json(text)).set_extra(json::object{{text, as_json(text)}}));
  session.trajectory.push_back(
      TrajectoryStep(text).set_output(text).set_call_id(text).set_arguments(as_json(text)));
  return session;
}

void comes_back(Context& c, const std::string& text) {
  Subject& store = c.open();
  const Session session = with_text(c, text);
  c.get("saving", store.save(session));
  same_session("the session loaded", c.load(store, session.id), session);
}

void unicode(Context& c) {
  comes_back(c,
             "\xF0\x9F\xA6\x91 e\xCC\x81 \xC3\xA9 \xE2\x80\x8F \xEF\xBF\xBF \xF4\x8F\xBF\xBF \xEF\xBB\xBF");
}

void separators(Context& c) {
  comes_back(c,
             "a\xE2\x80\xA8"
             "b\xE2\x80\xA9"
             "c");
}

void controls(Context& c) {
  comes_back(c, "\" \\ / \b\f\n\r\t \x01\x1f\x7f </script> \\u0041");
}

void nul(Context& c) {
  comes_back(c, "before\0after"s);
}

/// Every place that `spoil` is tried in, each refused without a trace.
void refused_everywhere(Context& c, const std::string& text) {
  Subject& store = c.open();
  const Session good = c.saved(store, "good");
  std::vector<Session> bad(7, c.session("bad"));
  bad[0].set_user(text);
  bad[1].set_title(text);
  bad[2].add_message(Message(text, "x"));
  bad[3].add_message("user", json::array{json::object{{"text", as_json(text)}}});
  bad[4].metadata[text] = 1;
  bad[5].extra["unknown"] = as_json(text);
  bad[6].trajectory.push_back(TrajectoryStep("t").set_output(text));
  for (const Session& session : bad) {
    c.refuse("saving " + show(text), Errc::invalid_argument, store.save(session));
    c.absent(store, session.id);
  }
  Session over = good;
  over.set_title(text);
  c.refuse("saving " + show(text) + " over a session", Errc::invalid_argument, store.save(over));
  same_session("the session stored before", c.load(store, good.id), good);
}

void invalid_utf8(Context& c) {
  for (const char* text : {"\xff", "a\xC3", "\xC0\xAF", "\xF4\x90\x80\x80"})
    refused_everywhere(c, text);
}

void lone_surrogates(Context& c) {
  refused_everywhere(c, "\xED\xA0\x80");
}

void invalid_append(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  c.refuse("appending invalid UTF-8", Errc::invalid_argument,
           store.append(session.id, Message("user", "\xff")));
  same_session("the session appended to", c.load(store, session.id), session);
}

void invalid_update(Context& c) {
  Subject& store = c.open();
  const Session session = c.saved(store);
  c.refuse("an update that makes invalid UTF-8", Errc::invalid_argument,
           store.update(session.id, [](Session& changed) { changed.set_title("\xff"); }));
  same_session("the session updated", c.load(store, session.id), session);
}

void shadowing_extra(Context& c) {
  Subject& store = c.open();
  std::vector<Session> bad(3, c.session());
  bad[0].extra["messages"] = json::array();
  bad[1].messages.front().extra["role"] = "other";
  bad[2].trajectory.push_back(TrajectoryStep("t"));
  bad[2].trajectory.front().extra["call_id"] = "other";
  for (const Session& session : bad) {
    c.refuse("saving an extra field with the name of a known one", Errc::invalid_argument,
             store.save(session));
    c.absent(store, session.id);
  }
}

}  // namespace

std::vector<Entry> encoding_behaviours() {
  return {
      {"encoding.unicode", "Emoji, combining characters and the last code point are kept", unicode},
      {"encoding.separators", "U+2028 and U+2029 are kept", separators},
      {"encoding.controls", "Quotes, backslashes and control characters are kept", controls},
      {"encoding.nul", "U+0000 is kept", nul},
      {"encoding.invalid_utf8", "Invalid UTF-8 is refused and nothing is written", invalid_utf8},
      {"encoding.lone_surrogates", "A lone surrogate is refused and nothing is written", lone_surrogates},
      {"encoding.invalid_append", "A message that is not UTF-8 is not appended", invalid_append},
      {"encoding.invalid_update", "An update that makes invalid UTF-8 is refused", invalid_update},
      {"encoding.shadowing_extra", "An extra field named as a known one is refused", shadowing_extra},
  };
}

}  // namespace sessile::conformance
