#include "documents/works.hpp"

#include "documents/file.hpp"
#include "json/pretty.hpp"
#include "storage/replace_file.hpp"

#include <sessile/backend.hpp>

namespace sessile::detail {
namespace {

/// The revision of what is stored as `file`; empty when there is none. Reads the file only when the check
/// needs it, and not its JSON: what cannot be parsed has a revision too, and may be replaced.
Result<void> check_stored(const RevisionCheck& check, storage::Directory& directory, const std::string& file,
                          const Limits& limits) {
  if (check.is_any()) return success();
  const auto text = read_text(directory, file, limits);
  if (!text) return text.error();
  return check_revision(check, *text ? std::optional(content_revision(**text)) : std::nullopt);
}

}  // namespace

SaveDocument::SaveDocument(std::string name, json::value value, DocumentWriteOptions options)
    : file_(json_file(name)), content_(std::move(value)), options_(options) {}

SaveDocument::SaveDocument(std::string name, std::string markdown, DocumentWriteOptions options)
    : file_(markdown_file(name)), content_(std::move(markdown)), options_(options) {}

Result<void> SaveDocument::prepare(const DocumentCore& core) {
  limits_ = core.limits;
  durability_ = core.durability(options_.durability());
  if (auto* const markdown = std::get_if<std::string>(&content_)) {
    if (!is_utf8(*markdown)) return Error(Errc::invalid_argument, "the text is not UTF-8");
    text_ = std::move(*markdown);
    return check_size(text_.size(), limits_);
  }
  auto text = print_document(std::get<json::value>(content_), limits_);
  if (!text) return text.error();
  text_ = *std::move(text);
  return success();
}

Result<Revision> SaveDocument::commit(storage::Directory& directory, storage::CommitGate& gate) {
  if (const auto same = check_stored(options_.if_revision(), directory, file_, limits_); !same) {
    return same.error();
  }
  // Before the commit point: what fails here may not hide that the document was written.
  Revision revision = content_revision(text_);
  if (const auto written = storage::replace_file(directory, file_, text_, durability_, gate); !written) {
    return written.error();
  }
  return revision;
}

Result<void> RemoveDocument::prepare(const DocumentCore& core) {
  limits_ = core.limits;
  durability_ = core.durability(options_.durability());
  return success();
}

Result<bool> RemoveDocument::without_category() {
  if (const auto absent = check_revision(options_.if_revision(), std::nullopt); !absent)
    return absent.error();
  return false;
}

Result<bool> RemoveDocument::commit(storage::Directory& directory, storage::CommitGate& gate) {
  const auto files = document_files(directory, name_);
  if (!files) return files.error();
  if (!files->json && !files->markdown) return without_category();
  const std::string file = files->json ? json_file(name_) : markdown_file(name_);
  if (const auto same = check_stored(options_.if_revision(), directory, file, limits_); !same) {
    return same.error();
  }
  const auto removed = storage::remove_file(directory, file, durability_, gate);
  if (removed) return true;
  const Error error = removed.error();
  if (error.code() == Errc::not_found) return false;  // by somebody who takes no lock
  return error;
}

Result<void> UpdateDocument::prepare(const DocumentCore& core) {
  limits_ = core.limits;
  durability_ = core.durability(options_.durability());
  return success();
}

bool UpdateDocument::creates() const noexcept {
  return options_.missing() == MissingDocument::create && !options_.if_revision().revision();
}

Result<JsonDocument> UpdateDocument::without_category() {
  if (const auto absent = check_revision(options_.if_revision(), std::nullopt); !absent)
    return absent.error();
  return Error(Errc::not_found, "there is no such JSON document");
}

Result<JsonDocument> UpdateDocument::commit(storage::Directory& directory, storage::CommitGate& gate) {
  auto stored = read_json_file(directory, name_, limits_);
  if (!stored) return stored.error();
  if (!*stored && options_.missing() == MissingDocument::refuse) return without_category();
  const auto before = *stored ? std::optional((*stored)->revision) : std::nullopt;
  if (const auto same = check_revision(options_.if_revision(), before); !same) return same.error();

  JsonDocument document;
  document.value = *stored ? (*stored)->value : json::value(json::object());
  for (const DocumentEdit& edit : edits_) {
    if (const auto applied = edit.apply(document.value); !applied) return applied.error();
  }
  const auto text = print_document(document.value, limits_);
  if (!text) return text.error();
  if (*stored) {
    // Compared as text: json::value holds objects for equal whose fields are in another order.
    std::string unchanged;
    write_pretty_json(unchanged, (*stored)->value);
    unchanged += '\n';
    if (unchanged == *text && settle_file(directory, json_file(name_), durability_))
      return **std::move(stored);
  }
  document.revision = content_revision(*text);
  const auto written = storage::replace_file(directory, json_file(name_), *text, durability_, gate);
  if (!written) return written.error();
  return document;
}

}  // namespace sessile::detail
