// Transcripts of other programs, and edits of documents.
#include "fuzz/targets.hpp"
#include "import/importer.hpp"

#include <sessile/document_edit.hpp>
#include <sessile/json.hpp>

#include <fstream>

namespace sessile::fuzz {
namespace {

using importing::Format;

void check_imported(const Session& session) {
  (void)importing::original_records(session);
  const auto measured = measure(session, Limits());
  if (!measured) {
    require(measured.error().code() != Errc::invalid_argument || session.id.empty() ||
                !check(session.id).has_value(),
            "a session that was read can be saved");
    return;
  }
  const auto again = decode_session(encode_session(session), Origin::stored);
  require(again.has_value() && again->same_content(session), "an imported session is read back as it was");
}

/// The same edits, applied in the same order to the same document.
Result<json::value> edited(const json::value& document, const DocumentEdit& edit, int times) {
  json::value copy = document;
  for (int i = 0; i < times; ++i) {
    if (auto done = edit.apply(copy); !done) return done.error();
  }
  return copy;
}

}  // namespace

void transcripts(std::string_view bytes) {
  const std::string file = scratch_folder() + "/rollout-2026-04-11T19-00-00.jsonl";
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  for (const Format format : {Format::automatic, Format::claude_code, Format::codex, Format::reference,
                              Format::agent_os, Format::sessile}) {
    std::uint64_t sessions = 0;
    const auto report = importing::read_transcript(file, format, importing::ImportLimits(),
                                                   [&sessions](Session session, Format) {
                                                     ++sessions;
                                                     check_imported(session);
                                                   });
    if (!report) {
      const Errc code = report.error().code();
      require(code == Errc::unsupported || code == Errc::corrupt || code == Errc::too_large ||
                  code == Errc::invalid_argument,
              "an importer refuses with a fitting error");
      continue;
    }
    require(report->sessions == sessions, "the report counts the sessions");
    require(report->skipped_count >= report->skipped.size(), "the report counts what was skipped");
  }
}

/// A path, a document and a value, a line each.
void edits(std::string_view bytes) {
  Input input(bytes);
  const std::string path(input.line());
  const auto document = parse_json(input.line(), Origin::caller);
  const auto value = parse_json(input.rest(), Origin::caller);
  if (!document || !value) {
    document.ignore();
    return value.ignore();
  }
  const DocumentEdit kinds[] = {DocumentEdit::set(path, *value), DocumentEdit::erase(path),
                                DocumentEdit::set_pointer(path, *value), DocumentEdit::erase_pointer(path),
                                DocumentEdit::merge(*value)};
  for (const DocumentEdit& edit : kinds) {
    const auto done = edited(*document, edit, 1);
    if (!done) {
      const Errc code = done.error().code();
      require(code == Errc::invalid_argument || code == Errc::too_large,
              "an edit refuses with a fitting error");
    }
  }
  const auto merged = edited(*document, kinds[4], 1);
  const auto twice = edited(*document, kinds[4], 2);
  if (merged && twice) require(*merged == *twice, "merging twice is merging once");
  twice.ignore();
  const auto set = edited(*document, kinds[2], 1);
  if (!set || !merged) return;
  boost::system::error_code missing;
  const bool appends = path.ends_with("-");
  const json::value* found = set->find_pointer(path, missing);
  require(appends || (found != nullptr && *found == *value), "what was set at a pointer is found there");
  if (found == nullptr || path.empty()) return;
  const auto erased = edited(*set, kinds[3], 1);
  require(appends || erased.has_value(), "what was set can be erased");
  erased.ignore();
}

}  // namespace sessile::fuzz
