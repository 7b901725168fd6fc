#include "documents/document_operation.hpp"

#include "documents/names.hpp"

namespace sessile::detail {

Result<void> DocumentCall::check_names() const {
  if (const auto parts = category_parts(category); !parts) return parts.error();
  if (name) return check_document_name(*name);
  return success();
}

Error DocumentCall::annotated(Error error) const {
  if (error.operation().empty()) error.with_operation(operation);
  if (error.backend().empty()) error.with_backend("documents");
  if (error.key().empty()) error.with_key(name ? category + "/" + *name : category);
  return error;
}

}  // namespace sessile::detail
