// Named JSON and Markdown documents in categories, each a plain file.
#pragma once

#include <sessile/document_edit.hpp>
#include <sessile/document_options.hpp>
#include <sessile/verify.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile {

namespace detail {
class DocumentCall;
class DocumentCore;
class DocumentHold;
}  // namespace detail

class DocumentLock;

/// The operations on the documents of one category. Objects of this kind come from DocumentStore.
///
/// - Names: UTF-8, 1 to kMaxDocumentNameBytes bytes, not beginning with a dot, without `/`, `\`, `..`, NUL
///   and control characters. A breach is invalid_argument, and no file was touched.
/// - Object lifetimes: arguments are taken by value, and an operation keeps alive what it needs, a held lock
///   included.
/// - Executor: callable from any, resumes on the caller's. Blocking work runs on internal threads.
/// - Cancellation: as SessionStore's: any type is honoured until the commit point, then nothing happened and
///   the answer is `cancelled`; from there on the operation finishes and reports the truth.
/// - Errors: always in the Result; nothing is thrown. key() is `category/name`. Beside those named below
/// every
///   operation may answer invalid_argument, cancelled, timed_out, unavailable and io, and one that writes
///   also locked (with the holder, where known), too_large, indeterminate and closed (a lock that was given
///   back). But for indeterminate, what was stored before is then intact.
/// - Thread safety: distinct objects may be used from distinct threads, copies included; of one object all
///   const members may be called at once.
class DocumentAccess {
 public:
  const std::string& category() const noexcept { return category_; }

  /// Inserts or replaces the JSON document. Written for people: a field or element a line, indented by two
  /// spaces. Returns its revision. Errors: conflict; a number that is not finite or text that is not UTF-8:
  /// invalid_argument.
  Async<Revision> save_json(std::string name, json::value value,
                            DocumentWriteOptions options = DocumentWriteOptions()) const;
  /// Inserts or replaces the Markdown document, byte for byte. Errors: conflict; text that is not UTF-8:
  /// invalid_argument.
  Async<Revision> save_markdown(std::string name, std::string text,
                                DocumentWriteOptions options = DocumentWriteOptions()) const;

  /// The JSON document; empty when there is none. Takes no lock. Errors: corrupt, too_large.
  Async<std::optional<JsonDocument>> load_json(std::string name,
                                               DocumentReadOptions options = DocumentReadOptions()) const;
  /// The Markdown document; empty when there is none. Takes no lock. Errors: corrupt, too_large.
  Async<std::optional<MarkdownDocument>> load_markdown(
      std::string name, DocumentReadOptions options = DocumentReadOptions()) const;
  /// As load_json, but not_found, naming category and name, when there is none.
  Async<JsonDocument> read_json(std::string name, DocumentReadOptions options = DocumentReadOptions()) const;

  /// Whether there is a JSON or a Markdown document of that name, readable or not.
  Async<bool> exists(std::string name, DocumentReadOptions options = DocumentReadOptions()) const;

  /// The names of the documents, without extension, each once, ordered by their bytes. A missing category has
  /// none. Hidden files, other extensions, directories and symbolic links are left out.
  Async<std::vector<std::string>> list(DocumentReadOptions options = DocumentReadOptions()) const;

  /// Removes the JSON document, or, when there is none, the Markdown document; says whether there was one.
  /// Errors: conflict.
  Async<bool> remove(std::string name, DocumentWriteOptions options = DocumentWriteOptions()) const;

  /// Loads the JSON document, applies `edits` in order and saves it, as one step under the category's lock:
  /// no concurrent update is lost. Returns the whole document as stored. When an edit fails, nothing is
  /// changed; when nothing changes, nothing is written, but what is stored is made as durable as the update
  /// was to be. Errors: conflict, not_found (MissingDocument::refuse), corrupt (what is stored is not
  /// overwritten), indeterminate, and those of the edits.
  Async<JsonDocument> update_json(std::string name, DocumentEdits edits,
                                  DocumentUpdateOptions options = DocumentUpdateOptions()) const;
  Async<JsonDocument> update_json(std::string name, DocumentEdit edit,
                                  DocumentUpdateOptions options = DocumentUpdateOptions()) const;

  /// Removes the documents that `policy` lets go: first those too old, then, of those left, all but the
  /// newest (ties by name). A name with both a JSON and a Markdown document is one, and loses both. A
  /// document that is written after it was listed stays. Errors: when the category could not be listed; what
  /// comes later is in the report.
  Async<DocumentPruneReport> prune(DocumentPrunePolicy policy = DocumentPrunePolicy(),
                                   DocumentPruneOptions options = DocumentPruneOptions()) const;

 protected:
  DocumentAccess(std::shared_ptr<detail::DocumentCore> core, std::string category,
                 std::shared_ptr<detail::DocumentHold> hold);
  ~DocumentAccess() = default;
  DocumentAccess(const DocumentAccess&) = default;
  DocumentAccess(DocumentAccess&&) = default;
  DocumentAccess& operator=(const DocumentAccess&) = default;
  DocumentAccess& operator=(DocumentAccess&&) = default;

  detail::DocumentCall call(std::string_view operation, std::chrono::milliseconds timeout,
                            std::optional<std::string> name = std::nullopt) const;

  std::shared_ptr<detail::DocumentCore> core_;
  std::string category_;
  std::shared_ptr<detail::DocumentHold> hold_;  // null: each write takes the lock for itself
};

/// A category, whether it is there or not. Copyable.
class DocumentCategory : public DocumentAccess {
 public:
  DocumentCategory(std::shared_ptr<detail::DocumentCore> core, std::string category);

  using DocumentAccess::exists;
  /// Whether the category's directory is there.
  Async<bool> exists(DocumentReadOptions options = DocumentReadOptions()) const;

  /// Takes the category's lock, making its directory when missing. Errors: locked, whose detail() names the
  /// timeout, and holder() the process, its host and since when, where known.
  Async<DocumentLock> lock(DocumentLockOptions options = DocumentLockOptions()) const;
};

/// The lock of a category, held: no other process, and no operation of this process but those called on this
/// object, writes a document of the category. Readers are not kept out. Categories nested in it have locks of
/// their own.
///
/// Movable. Freed by unlock(), by the end of its life (by an exception, a cancelled coroutine …), and by the
/// kernel when the process dies; an operation under way when it ends still runs under it. An operation on
/// the store itself waits for this lock like everybody else: call it on this object. Who holds several should
/// take them in one order everywhere; else they wait for each other until a timeout.
class DocumentLock : public DocumentAccess {
 public:
  DocumentLock(std::shared_ptr<detail::DocumentCore> core, std::string category,
               std::shared_ptr<detail::DocumentHold> hold);
  DocumentLock(const DocumentLock&) = delete;
  DocumentLock(DocumentLock&& other) noexcept;
  DocumentLock& operator=(const DocumentLock&) = delete;
  DocumentLock& operator=(DocumentLock&& other) noexcept;
  ~DocumentLock();

  /// Gives the lock back; later operations on this object answer `closed`. Twice is harmless.
  void unlock() noexcept;
};

/// Documents in `<base>/<category>/<name>.json` and `.md`. docs/documents.md has the layout and the promises.
///
/// - Categories nest, `agents/planner`: parts joined by single slashes, each as a document's name is (see
///   DocumentAccess), together at most kMaxCategoryBytes. Never empty, absolute, or with `..` or `\`.
/// - Revision: 52 bits of a hash of the file's bytes. The files are plain ones that other programs may write
///   too, so that a number kept beside them could lie; the content cannot. A document that is changed and
///   changed back has its old revision again, and compare-and-swap is right to succeed then.
/// - Locking: a category is the unit. Writers of one category go one after another, in this process first
///   come, first served; writers of different categories do not meet, and readers take no lock.
/// - Durability: as for sessions, per store and per write.
///
/// A handle: copies stand for the same store. Does I/O only in its operations; executor, cancellation and
/// thread safety are those of DocumentAccess.
class DocumentStore {
 public:
  /// For the library; use open_documents.
  explicit DocumentStore(std::shared_ptr<detail::DocumentCore> core) noexcept : core_(std::move(core)) {}

  /// The category, whether it is there or not. Checks nothing: its operations do.
  DocumentCategory in(std::string category) const { return DocumentCategory(core_, std::move(category)); }
  /// The category, if its directory is there. Errors: not_found.
  Async<DocumentCategory> open(std::string category,
                               DocumentReadOptions options = DocumentReadOptions()) const;

  // What DocumentCategory does, with the category named in each call.
  Async<bool> exists(std::string category) const { return in(std::move(category)).exists(); }
  Async<bool> exists(std::string category, std::string name) const {
    return in(std::move(category)).exists(std::move(name));
  }
  Async<DocumentLock> lock(std::string category, DocumentLockOptions options = DocumentLockOptions()) const {
    return in(std::move(category)).lock(options);
  }
  Async<Revision> save_json(std::string category, std::string name, json::value value,
                            DocumentWriteOptions options = DocumentWriteOptions()) const {
    return in(std::move(category)).save_json(std::move(name), std::move(value), options);
  }
  Async<Revision> save_markdown(std::string category, std::string name, std::string text,
                                DocumentWriteOptions options = DocumentWriteOptions()) const {
    return in(std::move(category)).save_markdown(std::move(name), std::move(text), options);
  }
  Async<std::optional<JsonDocument>> load_json(std::string category, std::string name) const {
    return in(std::move(category)).load_json(std::move(name));
  }
  Async<std::optional<MarkdownDocument>> load_markdown(std::string category, std::string name) const {
    return in(std::move(category)).load_markdown(std::move(name));
  }
  Async<JsonDocument> read_json(std::string category, std::string name) const {
    return in(std::move(category)).read_json(std::move(name));
  }
  Async<std::vector<std::string>> list(std::string category) const { return in(std::move(category)).list(); }
  Async<bool> remove(std::string category, std::string name,
                     DocumentWriteOptions options = DocumentWriteOptions()) const {
    return in(std::move(category)).remove(std::move(name), options);
  }
  Async<JsonDocument> update_json(std::string category, std::string name, DocumentEdits edits,
                                  DocumentUpdateOptions options = DocumentUpdateOptions()) const {
    return in(std::move(category)).update_json(std::move(name), std::move(edits), options);
  }
  Async<JsonDocument> update_json(std::string category, std::string name, DocumentEdit edit,
                                  DocumentUpdateOptions options = DocumentUpdateOptions()) const {
    return in(std::move(category)).update_json(std::move(name), std::move(edit), options);
  }
  Async<DocumentPruneReport> prune(std::string category, DocumentPrunePolicy policy = DocumentPrunePolicy(),
                                   DocumentPruneOptions options = DocumentPruneOptions()) const {
    return in(std::move(category)).prune(policy, options);
  }

  /// Reads every document of every category and reports what is not as it should be, and repairs it where
  /// `options` say so, as SessionStore::verify does: under the lock of its category. What cannot be read
  /// moves to `.quarantine` in the category. Also reports a daemon's state whose first_turn_pending is
  /// malformed. Errors: unavailable.
  Async<VerifyReport> verify(VerifyOptions options = VerifyOptions()) const;

 private:
  friend class DaemonState;
  std::shared_ptr<detail::DocumentCore> core_;
};

/// The longest name of a document or part of a category, and the longest category, in bytes.
inline constexpr std::size_t kMaxDocumentNameBytes = 180;
inline constexpr std::size_t kMaxCategoryBytes = 1000;

/// Opens the documents below `base`, which is made by the first write. Does no I/O. A relative path is
/// taken from the working directory of now. Errors: invalid_argument for a path that is empty or holds a NUL,
/// and for a negative lock timeout.
Result<DocumentStore> open_documents(std::filesystem::path base,
                                     DocumentStoreOptions options = DocumentStoreOptions());

}  // namespace sessile
