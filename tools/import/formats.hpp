// What is particular to each format of transcript.
#pragma once

#include "import/records.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sessile::importing {

/// What is known of a transcript beside its content.
class Origins {
 public:
  std::string stem;    ///< the file's name without its extension
  TimePoint modified;  ///< the file's modification time
};

/// True when one record suffices to say that the transcript is of this format.
bool is_claude_code(const json::value& record) noexcept;
bool is_codex(const json::value& record) noexcept;

/// The format of a whole document, or of one line of JSONL; empty when it is none we know.
std::optional<Format> format_of_document(const json::value& document) noexcept;

/// One session of all records of a file.
Session claude_code_session(std::vector<Record> records, const Origins& origins);
Session codex_session(std::vector<Record> records, const Origins& origins);

/// The UUID that `stem` is, or for `suffix` ends in; empty when there is none.
std::string_view uuid_of_stem(std::string_view stem) noexcept;
std::string_view uuid_at_end(std::string_view stem) noexcept;

/// The first of these that is a legal session id, else an id made from `stem`.
SessionId first_legal_id(std::string_view preferred, std::string_view second, std::string_view stem);

}  // namespace sessile::importing
