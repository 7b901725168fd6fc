// Changes to a JSON document, as update_json takes them.
#pragma once

#include <sessile/result.hpp>

#include <boost/json/value.hpp>

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace sessile {

namespace json = boost::json;

/// One change to a JSON document. Made by one of the static functions; several are applied in order, all or
/// none.
///
/// Dotted paths: names of fields joined by dots, `workflow.step`; no part is empty. A name that holds a dot
/// needs a pointer. Pointers: RFC 6901, `/workflow/steps/0/name`; the empty one is the whole document.
///
/// A fault in the path's grammar, and a path that does not fit the document, are invalid_argument; detail()
/// says where. Objects keep the order of their fields; a new field comes last.
class DocumentEdit {
 public:
  /// Sets the field at a dotted path, creating the objects on the way that are missing. A part of the way
  /// that is there and not an object (an array, null) is an error.
  static DocumentEdit set(std::string path, json::value value);
  /// Erases the field at a dotted path; it must be there.
  static DocumentEdit erase(std::string path);

  /// Sets what a pointer names: a field, new or not; an element that is there; or, as `-` or the array's
  /// size, a new last element. Missing objects on the way are created, missing elements are an error.
  static DocumentEdit set_pointer(std::string pointer, json::value value);
  /// Erases what a pointer names; it must be there, and not be the whole document.
  static DocumentEdit erase_pointer(std::string pointer);

  /// Applies a JSON merge patch (RFC 7396): fields replace fields, objects are merged, null erases.
  static DocumentEdit merge(json::value patch);

  /// Calls `function(json::value& document)`, which returns nothing, or a Result<void> whose error aborts the
  /// update. It runs once, on a thread of the store, under the category's lock: it must not wait for the
  /// store. What it throws aborts the update.
  template <class F>
  static DocumentEdit change(F function) {
    if constexpr (std::is_void_v<std::invoke_result_t<F&, json::value&>>) {
      return DocumentEdit([f = std::move(function)](json::value& document) mutable {
        f(document);
        return success();
      });
    } else {
      return DocumentEdit(Function(std::move(function)));
    }
  }

  /// Applies it to `document`, which a failure may leave changed in part. Thread-safe where the function
  /// given to change() is.
  Result<void> apply(json::value& document) const;

 private:
  using Function = std::function<Result<void>(json::value&)>;
  explicit DocumentEdit(Function function) : function_(std::move(function)) {}
  Function function_;
};

/// Several, in order.
using DocumentEdits = std::vector<DocumentEdit>;

}  // namespace sessile
