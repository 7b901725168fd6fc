#include "import/formats.hpp"
#include "import/line_reader.hpp"

#include <sessile/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <utility>

namespace sessile::importing {
namespace {

// What a first look at the lines of a file shows.
class Look {
 public:
  Format format = Format::automatic;     // of the first record that is of any
  std::optional<Skipped> first_problem;  // why the first line that is not blank could not be read
  bool blank = true;
};

// Bounds for a line that holds a whole session.
ImportLimits document_limits(const ImportLimits& limits) {
  ImportLimits wide = limits;
  wide.depth = limits.session.depth;
  wide.line_bytes = limits.session.session_bytes;
  return wide;
}

Format format_of_record(const json::value& record) {
  if (is_codex(record)) return Format::codex;
  if (is_claude_code(record)) return Format::claude_code;
  return format_of_document(record).value_or(Format::automatic);
}

std::string too_long(std::uint64_t max_bytes) {
  return "longer than the limit of " + std::to_string(max_bytes) + " bytes";
}

Result<Look> look_at_lines(LineReader& reader, const ImportLimits& limits) {
  Look look;
  for (;;) {
    const Result<std::optional<LineReader::Line>> line = reader.next(limits.line_bytes);
    if (!line) return line.error();
    if (!line->has_value()) return look;
    std::vector<Record> records;
    FileReport report;
    if ((*line)->over_long)
      report.skip((*line)->number, too_long(limits.line_bytes));
    else
      parse_line((*line)->text, (*line)->number, limits, records, report);
    if (look.blank && records.empty() && !report.skipped.empty()) look.first_problem = report.skipped.front();
    if (!records.empty() || !report.skipped.empty()) look.blank = false;
    for (const Record& record : records) {
      look.format = format_of_record(record.value);
      if (look.format != Format::automatic) return look;
    }
  }
}

// A path that is not UTF-8, so that another such path is another text.
std::string escaped(std::string_view path) {
  std::string out;
  for (const char c : path) {
    char text[4];
    const auto byte = static_cast<unsigned char>(c);
    std::snprintf(text, sizeof text, byte < 0x80 && c != '%' ? "%c" : "%%%02X", byte);
    out += text;
  }
  return out;
}

// Whether a text that is no JSON was to be a session's document.
bool was_a_document(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == std::string_view::npos || text[first] != '{') return false;
  const auto has = [text](std::string_view key) { return text.find(key) != std::string_view::npos; };
  return has("\"session_id\"") || has("\"user_messages\"") || has("\"agent_responses\"") || has("\"loops\"");
}

// Reads one file once its beginning was looked at.
class Reading {
 public:
  Reading(const std::filesystem::path& file, LineReader& reader, const ImportLimits& limits,
          const SessionSink& sink)
      : reader_(reader), limits_(limits), sink_(sink) {
    report_.source = file.string();
    origins_.stem = file.stem().string();
    origins_.modified = reader.modified();
  }

  Result<FileReport> run(Format asked) {
    const Result<Look> look = look_at_lines(reader_, document_limits(limits_));
    if (!look) return look.error();
    if (look->blank) return refused("the file is empty");
    if (look->first_problem) {
      // A document written over several lines, or JSONL whose first line is damaged.
      Result<json::value> document = whole_document();
      if (document) return read_document(std::move(*document), asked);
      const bool is_meant = document.error().code() == Errc::too_large || was_a_document_;
      if (look->format == Format::automatic && is_meant) return document.error().with_path(report_.source);
      if (look->format == Format::automatic && !is_transcript_of_lines(asked)) return unreadable(*look);
    }
    report_.format = asked == Format::automatic ? look->format : asked;
    if (report_.format == Format::automatic)
      return refused("the content is of no format that can be imported");
    if (const Result<void> again = reader_.rewind(); !again) return again.error();
    const Result<void> read =
        is_transcript_of_lines(report_.format) ? read_transcript_lines() : read_document_lines();
    if (!read) return read.error();
    return finished();
  }

 private:
  Error refused(const std::string& why) const {
    return Error(Errc::unsupported, why).with_path(report_.source);
  }
  Error unreadable(const Look& look) const {
    return refused("the content is of no format that can be imported; line " +
                   std::to_string(look.first_problem->line) + ": " + look.first_problem->reason);
  }

  Result<json::value> whole_document() {
    if (const Result<void> again = reader_.rewind(); !again) return again.error();
    const Result<std::string> text = reader_.rest(limits_.file_bytes);
    if (!text) return text.error();
    Result<json::value> document = parse_json(*text, Origin::stored, limits_.session);
    if (!document) was_a_document_ = was_a_document(*text);
    return document;
  }

  Result<FileReport> read_document(json::value document, Format asked) {
    const std::optional<Format> found = format_of_document(document);
    report_.format = asked == Format::automatic ? found.value_or(Format::automatic) : asked;
    if (report_.format == Format::automatic)
      return refused("the document is of no format that can be imported");
    if (is_transcript_of_lines(report_.format))
      return refused("one document, where lines of records were expected");
    Result<Session> session = session_from_json(std::move(document), Origin::stored, limits_.session);
    if (!session) return session.error().with_path(report_.source);
    report_.records = 1;
    take(std::move(*session));
    return finished();
  }

  // All lines are one session.
  Result<void> read_transcript_lines() {
    std::vector<Record> records;
    // Each record takes more than this in the session: one of too many could not be saved, and need not be
    // held.
    constexpr std::uint64_t kLeastBytes = 32;
    const std::uint64_t most = limits_.session.session_bytes / kLeastBytes;
    const Result<void> read =
        each_line(limits_.line_bytes, [&](const LineReader::Line& line) -> Result<void> {
          parse_line(line.text, line.number, limits_, records, report_);
          if (records.size() <= most) return success();
          return Error(Errc::too_large, "more records than a session can hold").with_path(report_.source);
        });
    if (!read) return read.error();
    const bool codex = report_.format == Format::codex;
    const auto is_known = [codex](const Record& r) {
      return codex ? is_codex(r.value) : is_claude_code(r.value);
    };
    if (std::none_of(records.begin(), records.end(), is_known)) {
      return refused("the file holds no record of the format " + std::string(name(report_.format)));
    }
    take(codex ? codex_session(std::move(records), origins_)
               : claude_code_session(std::move(records), origins_));
    return success();
  }

  // Each line is a session.
  Result<void> read_document_lines() {
    const ImportLimits wide = document_limits(limits_);
    return each_line(wide.line_bytes, [&](const LineReader::Line& line) -> Result<void> {
      std::vector<Record> records;
      parse_line(line.text, line.number, wide, records, report_);
      for (Record& record : records)
        read_document_line(std::move(record));
      return success();
    });
  }

  void read_document_line(Record record) {
    if (!record.value.is_object()) return;  // reported already
    if (!format_of_document(record.value) && value_at(record.value, "messages") == nullptr) {
      return report_.skip(record.line, "not the document of a session");
    }
    Result<Session> session = session_from_json(std::move(record.value), Origin::stored, limits_.session);
    if (!session) return report_.skip(record.line, session.error().detail());
    take(std::move(*session), record.line);
  }

  template <class Visit>
  Result<void> each_line(std::uint64_t max_bytes, Visit visit) {
    if (report_.format != Format::sessile && reader_.size() > limits_.file_bytes) {
      return Error(Errc::too_large, "the file is " + too_long(limits_.file_bytes)).with_path(report_.source);
    }
    for (;;) {
      const Result<std::optional<LineReader::Line>> line = reader_.next(max_bytes);
      if (!line) return line.error();
      if (!line->has_value()) return success();
      if ((*line)->over_long) {
        report_.skip((*line)->number, too_long(max_bytes));
      } else if (const Result<void> visited = visit(**line); !visited) {
        return visited.error();
      }
    }
  }

  // Our own sessions go on as they are, so that any number fits; those of others wait for the file's hash.
  void take(Session session, std::uint64_t line = 0) {
    ++report_.sessions;
    if (report_.format == Format::sessile) return sink_(std::move(session), report_.format);
    const auto [found, first] = taken_.try_emplace(session.id, Taken{waiting_.size(), line});
    if (first) return waiting_.push_back(std::move(session));
    // The file's hash would tell the second from the first no more.
    --report_.sessions;
    report_.skip(found->second.line,
                 "line " + std::to_string(line) + " is of the same session, and taken instead");
    found->second.line = line;
    waiting_[found->second.place] = std::move(session);
  }

  // The note must say what the store will, so what has no time gets the file's. In the year 9999 no later
  // time is left that would tell of a write.
  void date(Timestamp& time) const {
    const TimePoint too_late = std::chrono::sys_days(std::chrono::year(9999) / 1 / 1);
    if (time.empty() || time.time() >= too_late) time = origins_.modified;
  }

  Result<FileReport> finished() {
    report_.sha256 = reader_.sha256();
    for (Session& session : waiting_) {
      date(session.created_at);
      date(session.updated_at);
      json::object note;
      note["format"] = name(report_.format);
      note["source"] = is_utf8(report_.source) ? report_.source : escaped(report_.source);
      note["sha256"] = report_.sha256;
      note["records"] = report_.records;
      note["skipped"] = report_.skipped_count;
      note["updated_at"] = session.updated_at.text();
      if (json::value* theirs = session.metadata.if_contains("import")) note["shadowed"] = std::move(*theirs);
      session.metadata["import"] = std::move(note);
      sink_(std::move(session), report_.format);
    }
    return std::move(report_);
  }

  // Where a session is among those that wait, and the line it is from.
  struct Taken {
    std::size_t place;
    std::uint64_t line;
  };

  LineReader& reader_;
  const ImportLimits& limits_;
  const SessionSink& sink_;
  FileReport report_;
  Origins origins_;
  bool was_a_document_ = false;  // whole_document() failed, and it was to be one
  std::vector<Session> waiting_;
  std::map<SessionId, Taken> taken_;  // those that wait
};

}  // namespace

Result<FileReport> read_transcript(const TranscriptFile& file, Format format, const ImportLimits& limits,
                                   const SessionSink& sink) {
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(file.path(), failed).lexically_normal();
  if (failed) {
    return Error(Errc::io, "cannot tell the absolute path")
        .with_path(file.path().string())
        .with_cause({failed.value(), boost::system::system_category()});
  }
  Result<LineReader> reader = LineReader::open(file, absolute.string());
  if (!reader) return reader.error();
  return Reading(absolute, *reader, limits, sink).run(format);
}

Result<FileReport> read_transcript(const std::filesystem::path& file, Format format,
                                   const ImportLimits& limits, const SessionSink& sink) {
  return read_transcript(TranscriptFile(file), format, limits, sink);
}

}  // namespace sessile::importing
