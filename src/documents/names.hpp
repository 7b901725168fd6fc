// Which names documents and categories may have.
#pragma once

#include <sessile/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace sessile::detail {

/// Errors: invalid_argument, saying which rule is broken.
Result<void> check_document_name(std::string_view name);

/// The parts of a category, each a safe path component. Errors: as check_document_name.
Result<std::vector<std::string>> category_parts(std::string_view category);

}  // namespace sessile::detail
