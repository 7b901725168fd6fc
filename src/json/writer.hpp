// Writes compact JSON.
#pragma once

#include "json/fields.hpp"
#include "json/number.hpp"

#include <sessile/json.hpp>

namespace sessile::detail {

/// Where the line breaks of a document go.
enum class Layout {
  one_line,
  document,  ///< each field of the root, and each element of an array that is one, on a line of its own
};

/// Appends the shapes of shapes.hpp to a string. Meter has the same members, and checks and counts instead.
template <Layout kLayout>
class Writer {
 public:
  explicit Writer(std::string& out) noexcept : out_(out) {}

  void open(char bracket) {
    out_ += bracket;
    ++level_;
    fresh_ = true;
  }
  void close(char bracket) {
    if (level_ == 1 || (level_ == 2 && bracket == ']' && !fresh_)) line();
    out_ += bracket;
    --level_;
    fresh_ = false;
  }
  /// Begins a field whose name needs no escape.
  void name(std::string_view field) {
    comma();
    if (level_ == 1 && out_.back() != '{') line();
    out_ += '"';
    out_.append(field);
    out_.append("\":");
  }
  /// Begins an element of an array.
  void element(std::size_t) {
    comma();
    if (level_ == 2) line();
  }
  void begin_message() noexcept {}
  void end_message() noexcept {}

  void string(std::string_view text) { write_json_string(out_, text); }
  void value(const json::value& content) { write_json(out_, content); }
  void object(const json::object& content);
  void unsigned_number(std::uint64_t number) { append_number(out_, number); }
  void signed_number(std::int64_t number) { append_number(out_, number); }
  void boolean(bool truth) { out_.append(truth ? "true" : "false"); }
  void stamp(const Timestamp& time) { timestamp(time); }
  void revision(Revision revision) { unsigned_number(revision); }
  void timestamp(const Timestamp& time) {
    if (!time.original().empty()) {
      out_.append(time.original());
    } else if (time.is_set()) {
      out_ += '"';
      out_.append(format_time(time.time()));
      out_ += '"';
    } else {
      out_.append("null");
    }
  }
  /// A field of extra; Meter asks is_known, and whether it is a stamp.
  template <class IsKnown>
  void extra_field(std::string_view key, const json::value& content, IsKnown, bool = false) {
    comma();
    if (level_ == 1) line();
    write_json_string(out_, key);
    out_ += ':';
    write_json(out_, content);
  }

 private:
  void comma() {
    if (!fresh_) out_ += ',';
    fresh_ = false;
  }
  void line() {
    if constexpr (kLayout == Layout::document) out_ += '\n';
  }

  std::string& out_;
  std::uint32_t level_ = 0;
  bool fresh_ = true;  // nothing written yet in the innermost array or object
};

void write_object(std::string& out, const json::object& object);

template <Layout kLayout>
void Writer<kLayout>::object(const json::object& content) {
  write_object(out_, content);
}

}  // namespace sessile::detail
