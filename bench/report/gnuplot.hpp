// Charts are drawn by gnuplot, found when a report is made.
#pragma once

#include <sessile/result.hpp>

#include <string>
#include <string_view>

namespace sessile::bench {

/// Runs `script` (which sets no terminal and no output) and returns the SVG it drew: with no background, and
/// with its text and lines in a colour that follows the reader's light or dark preference. `title` is for
/// those who cannot see it. Errors: unavailable when there is no gnuplot; io with gnuplot's own words.
Result<std::string> draw(std::string_view script, std::string_view title, int width, int height);

/// `text` between the quotes of a gnuplot string, with nothing in it that gnuplot would interpret.
std::string gnuplot_text(std::string_view text);

/// `text` for HTML and SVG.
std::string escape_markup(std::string_view text);

}  // namespace sessile::bench
