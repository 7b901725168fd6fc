#include <sessile/json.hpp>

#include <doctest/doctest.h>
#include <boost/json.hpp>

using namespace std::string_literals;

namespace {

using namespace sessile;

json::value read(std::string_view text) {
  return parse_json(text, Origin::stored).value();
}
Error refused(std::string_view text, Origin origin = Origin::stored) {
  return parse_json(text, origin).error();
}

std::string text_of(const json::value& value) {
  std::string text;
  write_json(text, value);
  return text;
}

TEST_CASE("values of every kind are written compactly and read back alike") {
  const std::string text =
      R"({"null":null,"yes":true,"no":false,"list":[1,-2,3.5,[],{}],"text":"a\"b\\c\n\t\b\f\r\u0001","":0})";
  CHECK(text_of(read(text)) == text);
  CHECK(read(" \r\n\t[ 1 , 2 ]\n") == json::value({1, 2}));
}

TEST_CASE("strings keep U+0000, U+2028, emoji and every other character") {
  const std::string characters = "a\0b\u2028\u2029\U0001F680\u007F\uFFFF"s;
  std::string literal;
  write_json_string(literal, characters);
  CHECK(literal.find('\0') == std::string::npos);
  CHECK(read(literal).get_string() == json::string(characters));
  CHECK(read(R"("\ud83d\ude80\u0000")").get_string() == json::string("\U0001F680\0"s));
  CHECK(read("{\"a\\u0000b\":1}").get_object().contains("a\0b"s));
}

TEST_CASE("every byte is escaped or not alike, wherever it stands in a string") {
  for (int code = 0; code < 0x80; ++code) {
    for (std::size_t before = 0; before < 18; ++before) {
      const std::string text = std::string(before, '!') + static_cast<char>(code) + "#\x7F]";
      std::string literal;
      write_json_string(literal, text);
      const std::size_t growth = code == '"' || code == '\\' ? 1
                                 : code >= 0x20              ? 0
                                                             : literal.size() - text.size() - 2;
      REQUIRE(literal.size() == text.size() + 2 + growth);
      REQUIRE((code >= 0x20 || growth == 1 || growth == 5));
      REQUIRE(read(literal).get_string() == json::string(text));
    }
  }
}

TEST_CASE("lone surrogates are refused") {
  for (const char* text : {R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\n")", R"("\ud800\ud800")",
                           R"({"\udfff":1})", "\"\xED\xA0\x80\""}) {
    CAPTURE(text);
    CHECK(refused(text).code() == Errc::corrupt);
  }
  CHECK(refused(R"("\udc00")").detail().find("surrogate") != std::string::npos);
}

TEST_CASE("of equal keys the last wins") {
  CHECK(read(R"({"a":1,"b":2,"a":3})") == json::value({{"a", 3}, {"b", 2}}));
  std::string many = "{";
  for (int i = 0; i < 200; ++i)
    many += "\"k" + std::to_string(i % 50) + "\":" + std::to_string(i) + ",";
  many.back() = '}';
  const json::value value = read(many);
  REQUIRE(value.get_object().size() == 50);
  CHECK(value.at("k7") == json::value(157));
}

TEST_CASE("a byte order mark before the text is skipped, and counted in offsets") {
  CHECK(read("\xEF\xBB\xBF[1]") == json::value({1}));
  CHECK(refused("\xEF\xBB\xBF[1,]").offset() == 6u);
  CHECK(refused("[1]\xEF\xBB\xBF").code() == Errc::corrupt);
}

TEST_CASE("invalid UTF-8 is refused at its own offset") {
  struct Case {
    std::string bytes;
    std::string_view what;
  };
  const Case cases[] = {{"\xFF", "no lead byte"},          {"\xC0\xAF", "overlong"},
                        {"\xE0\x80\xAF", "overlong"},      {"\xED\xBF\xBF", "surrogate"},
                        {"\xF4\x90\x80\x80", "too large"}, {"\xE2\x82", "cut short"},
                        {"\x80", "continuation alone"},    {"\xF0\x8F\xBF\xBF", "overlong"}};
  for (const Case& c : cases) {
    for (const std::size_t before : {0u, 3u, 15u, 16u, 40u, 5000u}) {
      CAPTURE(c.what);
      CAPTURE(before);
      const std::string text =
          "{\"k\":\"" + std::string(before, 'x') + c.bytes + "yyyyyyyyyyyyyyyyyyyyyyyyyy\"}";
      const Error error = refused(text);
      CHECK(error.code() == Errc::corrupt);
      CHECK(error.offset() == 6 + before);
      CHECK(error.detail().find("UTF-8") != std::string::npos);
    }
  }
  const Error in_key = refused("{\"a\xFF\":1}", Origin::caller);
  CHECK(in_key.code() == Errc::invalid_argument);
  CHECK(in_key.offset() == 3u);
}

TEST_CASE("faults carry the offset, the line and the column, but nothing of the text") {
  const std::string secret = "hunter2";
  const Error error = refused("{\n  \"é\": \"" + secret + "\" oops\n}");
  CHECK(error.offset() == 20u + secret.size() - 7u);
  CHECK(error.detail().find("line 2, column 18") != std::string::npos);
  CHECK(error.message().find(secret) == std::string::npos);
  CHECK(error.message().find("oops") == std::string::npos);
}

TEST_CASE("texts that are cut, empty, of NULs or followed by others are refused") {
  CHECK(refused("").offset() == 0u);
  CHECK(refused("   ").code() == Errc::corrupt);
  CHECK(refused(std::string(4096, '\0')).offset() == 0u);
  CHECK(refused("{\"a\":1}{\"b\":2}").offset() == 7u);
  CHECK(refused("[1]\0"s).offset() == 3u);
  CHECK(refused("\"raw\nnewline\"").code() == Errc::corrupt);
  CHECK(refused("// comment\n1").code() == Errc::corrupt);
  CHECK(refused("[1,]").code() == Errc::corrupt);
  CHECK(refused("tru").code() == Errc::corrupt);
  const std::string whole = R"({"a":[1,2.5,"x\u0041é",true,null],"b":{"c":-7}})";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(refused(whole.substr(0, length)).code() == Errc::corrupt);
  }
}

TEST_CASE("depth bombs are refused without a deep stack, and the limit is exact") {
  for (const char* opener : {"[", "{\"a\":"}) {
    std::string bomb;
    for (int i = 0; i < 1000000; ++i)
      bomb += opener;
    CHECK(refused(bomb).code() == Errc::too_large);
  }
  Limits limits;
  limits.depth = 5;
  CHECK(parse_json("[[[[[1]]]]]", Origin::caller, limits).has_value());
  CHECK(parse_json("[[[[[[1]]]]]]", Origin::caller, limits).error().code() == Errc::too_large);
  // However high the limit is set, the stack is safe.
  limits.depth = 0xFFFFFFFF;
  CHECK(parse_json(std::string(999, '[') + std::string(999, ']'), Origin::caller, limits).has_value());
  CHECK(parse_json(std::string(100000, '['), Origin::caller, limits).error().code() == Errc::too_large);
}

TEST_CASE("a text far larger than a session may be is refused unread") {
  Limits limits;
  limits.session_bytes = 1000;
  const std::string text = "\"" + std::string(2 << 20, 'x') + "\"";
  CHECK(parse_json(text, Origin::stored, limits).error().code() == Errc::too_large);
  CHECK(parse_json(text, Origin::stored).has_value());
  limits.session_bytes = ~std::uint64_t{0};
  CHECK(parse_json(text, Origin::stored, limits).has_value());
}

}  // namespace
