// A document as a file in its category's directory. All functions block.
#pragma once

#include "storage/file_system.hpp"

#include <sessile/document_options.hpp>
#include <sessile/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::detail {

std::string json_file(std::string_view name);
std::string markdown_file(std::string_view name);

/// True for a temporary file of a document.
bool is_temporary_document(std::string_view entry) noexcept;

/// The file's text; empty when there is no such file. Errors: too_large, io.
Result<std::optional<std::string>> read_text(storage::Directory& directory, const std::string& file,
                                             const Limits& limits);

/// A stored JSON text. Errors: corrupt, too_large, with the file's path.
Result<json::value> parse_document(std::string_view text, const storage::Directory& directory,
                                   const std::string& file, const Limits& limits);

Result<std::optional<JsonDocument>> read_json_file(storage::Directory& directory, std::string_view name,
                                                   const Limits& limits);

Result<std::optional<MarkdownDocument>> read_markdown_file(storage::Directory& directory,
                                                           std::string_view name, const Limits& limits);

/// The text that a JSON document is stored as, all of it checked. Errors: invalid_argument, too_large.
Result<std::string> print_document(const json::value& value, const Limits& limits);

/// For a write that finds the file as it would make it: what is there was perhaps written with less
/// durability than this one promises, or by one who was killed before it had synced. False: it could not be
/// synced, and must be written anew, since a second sync may say that all is well though the data is gone.
/// Precondition: the caller holds the document's lock.
bool settle_file(storage::Directory& directory, const std::string& file, Durability durability);

/// Too_large, if it is.
Result<void> check_size(std::uint64_t bytes, const Limits& limits);

/// The files of one document.
class DocumentFiles {
 public:
  bool json = false;
  bool markdown = false;
  TimePoint modified = TimePoint::min();  ///< of the younger
  /// Which files they are: a time is too coarse to tell that one was written anew.
  storage::FileIdentity json_identity;
  storage::FileIdentity markdown_identity;
  std::uint64_t bytes = 0;  ///< of both
  friend bool operator==(const DocumentFiles&, const DocumentFiles&) = default;
};

/// The names of the documents in `directory`; what is not one is left out.
Result<std::vector<std::string>> document_names(storage::Directory& directory);

/// What there is of a document; neither json nor markdown when nothing. Regular files only.
Result<DocumentFiles> document_files(storage::Directory& directory, std::string_view name);

}  // namespace sessile::detail
