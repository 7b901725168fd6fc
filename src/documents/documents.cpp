#include "documents/document_operation.hpp"
#include "documents/file.hpp"
#include "documents/works.hpp"
#include "storage/store_directory.hpp"

#include <sessile/documents.hpp>

namespace sessile {

using detail::DocumentCall;
using detail::read_body;
using detail::run_document_operation;
using detail::write_body;
using storage::Directory;

DocumentAccess::DocumentAccess(std::shared_ptr<detail::DocumentCore> core, std::string category,
                               std::shared_ptr<detail::DocumentHold> hold)
    : core_(std::move(core)), category_(std::move(category)), hold_(std::move(hold)) {}

DocumentCategory::DocumentCategory(std::shared_ptr<detail::DocumentCore> core, std::string category)
    : DocumentAccess(std::move(core), std::move(category), nullptr) {}

DocumentCall DocumentAccess::call(std::string_view operation, std::chrono::milliseconds timeout,
                                  std::optional<std::string> name) const {
  DocumentCall made(operation, core_, category_);
  made.hold = hold_;
  made.name = std::move(name);
  made.timeout = timeout;
  return made;
}

Async<Revision> DocumentAccess::save_json(std::string name, json::value value,
                                          DocumentWriteOptions options) const {
  auto made = call("save_json", options.timeout(), name);
  detail::SaveDocument work(std::move(name), std::move(value), options);
  auto body = write_body<Revision>(made, std::move(work));
  return run_document_operation<Revision>(std::move(made), std::move(body));
}

Async<Revision> DocumentAccess::save_markdown(std::string name, std::string text,
                                              DocumentWriteOptions options) const {
  auto made = call("save_markdown", options.timeout(), name);
  detail::SaveDocument work(std::move(name), std::move(text), options);
  auto body = write_body<Revision>(made, std::move(work));
  return run_document_operation<Revision>(std::move(made), std::move(body));
}

Async<std::optional<JsonDocument>> DocumentAccess::load_json(std::string name,
                                                             DocumentReadOptions options) const {
  using Found = std::optional<JsonDocument>;
  auto made = call("load_json", options.timeout(), name);
  auto work = [limits = core_->limits, name = std::move(name)](Directory* directory) -> Result<Found> {
    if (directory == nullptr) return Found();
    return detail::read_json_file(*directory, name, limits);
  };
  auto body = read_body<Found>(made, std::move(work));
  return run_document_operation<Found>(std::move(made), std::move(body));
}

Async<JsonDocument> DocumentAccess::read_json(std::string name, DocumentReadOptions options) const {
  auto made = call("read_json", options.timeout(), name);
  auto work = [limits = core_->limits, name = std::move(name)](Directory* directory) -> Result<JsonDocument> {
    if (directory == nullptr) return Error(Errc::not_found, "there is no such category");
    auto found = detail::read_json_file(*directory, name, limits);
    if (!found) return found.error();
    if (!*found) return Error(Errc::not_found, "there is no such JSON document");
    return **std::move(found);
  };
  auto body = read_body<JsonDocument>(made, std::move(work));
  return run_document_operation<JsonDocument>(std::move(made), std::move(body));
}

Async<std::optional<MarkdownDocument>> DocumentAccess::load_markdown(std::string name,
                                                                     DocumentReadOptions options) const {
  using Found = std::optional<MarkdownDocument>;
  auto made = call("load_markdown", options.timeout(), name);
  auto work = [limits = core_->limits, name = std::move(name)](Directory* directory) -> Result<Found> {
    if (directory == nullptr) return Found();
    return detail::read_markdown_file(*directory, name, limits);
  };
  auto body = read_body<Found>(made, std::move(work));
  return run_document_operation<Found>(std::move(made), std::move(body));
}

Async<bool> DocumentAccess::exists(std::string name, DocumentReadOptions options) const {
  auto made = call("exists", options.timeout(), name);
  auto work = [name = std::move(name)](Directory* directory) -> Result<bool> {
    if (directory == nullptr) return false;
    const auto files = detail::document_files(*directory, name);
    if (!files) return files.error();
    return files->json || files->markdown;
  };
  auto body = read_body<bool>(made, std::move(work));
  return run_document_operation<bool>(std::move(made), std::move(body));
}

Async<std::vector<std::string>> DocumentAccess::list(DocumentReadOptions options) const {
  using Names = std::vector<std::string>;
  auto made = call("list", options.timeout());
  auto work = [](Directory* directory) -> Result<Names> {
    if (directory == nullptr) return Names();
    return detail::document_names(*directory);
  };
  auto body = read_body<Names>(made, std::move(work));
  return run_document_operation<Names>(std::move(made), std::move(body));
}

Async<bool> DocumentAccess::remove(std::string name, DocumentWriteOptions options) const {
  auto made = call("remove", options.timeout(), name);
  detail::RemoveDocument work(std::move(name), options);
  auto body = write_body<bool>(made, std::move(work));
  return run_document_operation<bool>(std::move(made), std::move(body));
}

Async<JsonDocument> DocumentAccess::update_json(std::string name, DocumentEdits edits,
                                                DocumentUpdateOptions options) const {
  auto made = call("update_json", options.timeout(), name);
  detail::UpdateDocument work(std::move(name), std::move(edits), options);
  auto body = write_body<JsonDocument>(made, std::move(work));
  return run_document_operation<JsonDocument>(std::move(made), std::move(body));
}

Async<JsonDocument> DocumentAccess::update_json(std::string name, DocumentEdit edit,
                                                DocumentUpdateOptions options) const {
  DocumentEdits edits;
  edits.push_back(std::move(edit));
  return update_json(std::move(name), std::move(edits), options);
}

Async<bool> DocumentCategory::exists(DocumentReadOptions options) const {
  auto made = call("exists", options.timeout());
  auto work = [](Directory* directory) -> Result<bool> { return directory != nullptr; };
  auto body = read_body<bool>(made, std::move(work));
  return run_document_operation<bool>(std::move(made), std::move(body));
}

Async<DocumentCategory> DocumentStore::open(std::string category, DocumentReadOptions options) const {
  DocumentCall made("open", core_, category);
  made.timeout = options.timeout();
  auto work = [core = core_,
               category = std::move(category)](Directory* directory) -> Result<DocumentCategory> {
    if (directory == nullptr) return Error(Errc::not_found, "there is no such category");
    return DocumentCategory(core, category);
  };
  auto body = read_body<DocumentCategory>(made, std::move(work));
  return run_document_operation<DocumentCategory>(std::move(made), std::move(body));
}

Result<DocumentStore> open_documents(std::filesystem::path base, DocumentStoreOptions options) {
  auto place = storage::store_directory(std::move(base), options.lock(), "documents");
  if (!place) return place.error();
  return DocumentStore(std::make_shared<detail::DocumentCore>(std::move(*place), std::move(options),
                                                              storage::real_file_system()));
}

}  // namespace sessile
