#include "documents/file.hpp"

#include "documents/names.hpp"
#include "json/meter.hpp"
#include "json/pretty.hpp"
#include "json/utf8.hpp"
#include "storage/replace_file.hpp"

#include <sessile/backend.hpp>

#include <algorithm>
#include <cerrno>
#include <set>

namespace sessile::detail {
namespace {

constexpr std::string_view kJson = ".json";
constexpr std::string_view kMarkdown = ".md";

std::string file_path(const storage::Directory& directory, const std::string& file) {
  return (directory.path() / file).string();
}

/// The document that a file belongs to; empty when it is none of ours.
std::string_view document_of(std::string_view file) {
  for (const std::string_view extension : {kJson, kMarkdown}) {
    if (!file.ends_with(extension)) continue;
    file.remove_suffix(extension.size());
    return check_document_name(file) ? file : std::string_view();
  }
  return {};
}

/// Adds what is known of one of a document's files; false when it is not there.
Result<bool> look_at(storage::Directory& directory, const std::string& file, storage::FileIdentity& identity,
                     DocumentFiles& files) {
  const auto info = directory.info(file);
  if (!info) {
    if (info.error().value() == ENOENT) return false;
    return storage::system_error(info.error(), "cannot look at the file", directory, file);
  }
  if (info->kind != storage::FileKind::regular) return false;
  files.modified = std::max(files.modified, info->modified);
  files.bytes += info->size;
  identity = info->identity;
  return true;
}

}  // namespace

std::string json_file(std::string_view name) {
  return std::string(name).append(kJson);
}
std::string markdown_file(std::string_view name) {
  return std::string(name).append(kMarkdown);
}

bool is_temporary_document(std::string_view entry) noexcept {
  for (const std::string_view extension : {kJson, kMarkdown}) {
    for (auto at = entry.find(extension); at != std::string_view::npos; at = entry.find(extension, at + 1)) {
      if (storage::is_temporary_of(entry, entry.substr(0, at + extension.size()))) return true;
    }
  }
  return false;
}

Result<std::optional<std::string>> read_text(storage::Directory& directory, const std::string& file,
                                             const Limits& limits) {
  auto text = storage::read_file(directory, file, limits.session_bytes);
  if (!text) {
    const Error error = text.error();
    if (error.code() == Errc::not_found) return std::optional<std::string>();
    return error;
  }
  return std::optional<std::string>(*std::move(text));
}

Result<json::value> parse_document(std::string_view text, const storage::Directory& directory,
                                   const std::string& file, const Limits& limits) {
  auto value = parse_json(text, Origin::stored, limits);
  if (!value) return value.error().with_path(file_path(directory, file));
  return value;
}

Result<std::optional<JsonDocument>> read_json_file(storage::Directory& directory, std::string_view name,
                                                   const Limits& limits) {
  const std::string file = json_file(name);
  auto text = read_text(directory, file, limits);
  if (!text) return text.error();
  if (!*text) return std::optional<JsonDocument>();
  auto value = parse_document(**text, directory, file, limits);
  if (!value) return value.error();
  JsonDocument document;
  document.value = *std::move(value);
  document.revision = content_revision(**text);
  return std::optional<JsonDocument>(std::move(document));
}

Result<std::optional<MarkdownDocument>> read_markdown_file(storage::Directory& directory,
                                                           std::string_view name, const Limits& limits) {
  const std::string file = markdown_file(name);
  auto text = read_text(directory, file, limits);
  if (!text) return text.error();
  if (!*text) return std::optional<MarkdownDocument>();
  if (const std::size_t valid = valid_utf8_prefix(**text); valid < (*text)->size()) {
    return Error(Errc::corrupt, "the text is not UTF-8")
        .with_path(file_path(directory, file))
        .with_offset(valid);
  }
  MarkdownDocument document;
  document.revision = content_revision(**text);
  document.text = **std::move(text);
  return std::optional<MarkdownDocument>(std::move(document));
}

bool settle_file(storage::Directory& directory, const std::string& file, Durability durability) {
  if (durability != Durability::power) return true;
  const auto opened = directory.open_file(file, storage::OpenMode::read);
  if (opened ? !(*opened)->sync_data() : opened.error().value() != ENOENT) return false;
  return directory.sync().has_value();
}

Result<void> check_size(std::uint64_t bytes, const Limits& limits) {
  if (bytes <= limits.session_bytes) return success();
  return Error(Errc::too_large, "a document of " + std::to_string(bytes) + " bytes; the limit is " +
                                    std::to_string(limits.session_bytes));
}

Result<std::string> print_document(const json::value& value, const Limits& limits) {
  Meter meter(limits, 0);
  meter.value(value);
  const auto compact = meter.result(limits.session_bytes, "a document");
  if (!compact) return compact.error();
  std::string text;
  text.reserve(*compact + *compact / 4 + 16);
  write_pretty_json(text, value);
  text += '\n';
  if (const auto fits = check_size(text.size(), limits); !fits) return fits.error();
  return text;
}

Result<std::vector<std::string>> document_names(storage::Directory& directory) {
  const auto entries = directory.list();
  if (!entries) {
    return Error(Errc::io, "cannot list the category")
        .with_path(directory.path().string())
        .with_cause(entries.error());
  }
  std::set<std::string> names;
  for (const auto& entry : *entries) {
    if (entry.kind != storage::FileKind::regular) continue;
    if (const auto name = document_of(entry.name); !name.empty()) names.emplace(name);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<DocumentFiles> document_files(storage::Directory& directory, std::string_view name) {
  DocumentFiles files;
  const auto json = look_at(directory, json_file(name), files.json_identity, files);
  if (!json) return json.error();
  const auto markdown = look_at(directory, markdown_file(name), files.markdown_identity, files);
  if (!markdown) return markdown.error();
  files.json = *json;
  files.markdown = *markdown;
  return files;
}

}  // namespace sessile::detail
