// What the writing operations on documents do under the lock; see write_body for their shape.
#pragma once

#include "documents/core.hpp"
#include "storage/io_pool.hpp"

#include <optional>
#include <string>
#include <variant>

namespace sessile::detail {

/// save_json and save_markdown.
class SaveDocument {
 public:
  SaveDocument(std::string name, json::value value, DocumentWriteOptions options);
  SaveDocument(std::string name, std::string markdown, DocumentWriteOptions options);

  Result<void> prepare(const DocumentCore& core);
  bool creates() const noexcept { return true; }
  Result<Revision> without_category() { return Error(Errc::unavailable, "the category is gone"); }
  Result<Revision> commit(storage::Directory& directory, storage::CommitGate& gate);

 private:
  std::string file_;
  std::variant<json::value, std::string> content_;
  DocumentWriteOptions options_;
  Limits limits_;          // set by prepare, as is the rest
  std::string text_;       // what is stored
  Durability durability_ = Durability::power;
};

/// remove.
class RemoveDocument {
 public:
  RemoveDocument(std::string name, DocumentWriteOptions options)
      : name_(std::move(name)), options_(options) {}

  Result<void> prepare(const DocumentCore& core);
  bool creates() const noexcept { return false; }
  Result<bool> without_category();
  Result<bool> commit(storage::Directory& directory, storage::CommitGate& gate);

 private:
  std::string name_;
  DocumentWriteOptions options_;
  Limits limits_;
  Durability durability_ = Durability::power;
};

/// update_json.
class UpdateDocument {
 public:
  UpdateDocument(std::string name, DocumentEdits edits, DocumentUpdateOptions options)
      : name_(std::move(name)), edits_(std::move(edits)), options_(options) {}

  Result<void> prepare(const DocumentCore& core);
  bool creates() const noexcept;
  Result<JsonDocument> without_category();
  Result<JsonDocument> commit(storage::Directory& directory, storage::CommitGate& gate);

 private:
  std::string name_;
  DocumentEdits edits_;
  DocumentUpdateOptions options_;
  Limits limits_;
  Durability durability_ = Durability::power;
};

}  // namespace sessile::detail
