#include "bench/report/gnuplot.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

extern char** environ;

namespace sessile::bench {

namespace {

namespace fs = std::filesystem;

/// A directory that is gone when the object is.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = (fs::temp_directory_path() / "sessile-bench-report-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// Runs gnuplot on `script`, its messages going to `messages`. The exit status, 127: there is none.
int run_gnuplot(const fs::path& script, const fs::path& messages) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
  std::string program = "gnuplot";
  std::string argument = script.string();
  std::array<char*, 3> arguments = {program.data(), argument.data(), nullptr};
  pid_t pid = 0;
  const int fault = ::posix_spawnp(&pid, "gnuplot", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (fault != 0) return 127;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// gnuplot's black becomes the colour of the text around it, or that of the reader's preference where the SVG
/// stands alone.
void follow_preference(std::string& svg, std::string_view title) {
  replace_all(svg, "rgb(  0,   0,   0)", "currentColor");
  replace_all(svg, "stroke='black'", "stroke='currentColor'");
  replace_all(svg, "fill='black'", "fill='currentColor'");
  replace_all(svg, "fill=\"black\"", "fill=\"currentColor\"");
  replace_all(svg, "stroke=\"black\"", "stroke=\"currentColor\"");
  replace_all(svg, "<title>Gnuplot</title>", "<title>" + escape_markup(title) + "</title>");
  replace_all(svg, "<desc>Produced by GNUPLOT 5.4 patchlevel 4 </desc>", "");
  const auto open = svg.find("<svg");
  const auto end = open == std::string::npos ? open : svg.find('>', open);
  if (end == std::string::npos) return;
  svg.insert(end + 1,
             "\n<style>svg{color:#24292f}"
             "@media (prefers-color-scheme:dark){svg{color:#e6edf3}}</style>\n");
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string gnuplot_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) continue;
    if (c == '"' || c == '\\') out += '\\';
    out += c == '`' ? '\'' : c;
  }
  return out;
}

Result<std::string> draw(std::string_view script, std::string_view title, int width, int height) {
  const ScratchDirectory scratch;
  if (scratch.path().empty()) return Error(Errc::io, "no scratch directory could be made for the charts");
  const fs::path svg = scratch.path() / "chart.svg";
  {
    std::ofstream out(scratch.path() / "chart.gp");
    out << "set encoding utf8\nset terminal svg noenhanced size " << width << ',' << height
        << " font \"sans-serif,13\" background rgb \"#00000000\"\nset output \"" << svg.string() << "\"\n"
        << script << "\nset output\n";
  }
  const int status = run_gnuplot(scratch.path() / "chart.gp", scratch.path() / "messages");
  if (status == 127) {
    return Error(Errc::unavailable,
                 "gnuplot is needed to draw a report: install gnuplot-nox (Debian) or gnuplot");
  }
  std::string drawn = contents(svg);
  if (status != 0 || drawn.empty()) {
    return Error(Errc::io, "gnuplot could not draw a chart")
        .with_outside_text(contents(scratch.path() / "messages"));
  }
  follow_preference(drawn, title);
  return drawn;
}

}  // namespace sessile::bench
