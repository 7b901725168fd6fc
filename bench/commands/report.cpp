#include "bench/commands/commands.hpp"

#include "bench/report/gnuplot.hpp"
#include "bench/report/page.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

namespace sessile::bench {

namespace {

class ReportOptions {
 public:
  std::vector<std::string> results;
  std::string out = "sessile-bench-report";
};

Result<void> write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (out) return success();
  return Error(Errc::io, "the report could not be written").with_path(path.string());
}

Result<void> make_report(const ReportOptions& options) {
  auto lines = read_results(options.results);
  if (!lines) return lines.error();
  if (lines->empty()) return Error(Errc::invalid_argument, "there are no results in these files");
  std::vector<DrawnChart> drawn;
  for (auto& chart : charts_for(*lines)) {
    auto svg = draw(chart.script, chart.title, chart.width, chart.height);
    if (!svg) return svg.error();
    DrawnChart one;
    one.chart = std::move(chart);
    one.svg = std::move(*svg);
    drawn.push_back(std::move(one));
  }
  std::error_code fault;
  std::filesystem::create_directories(options.out, fault);
  const std::filesystem::path directory = options.out;
  for (const auto& one : drawn) {
    if (auto done = write_text(directory / (one.chart.file_name + ".svg"), one.svg); !done) return done;
    std::printf("%s\n", (directory / (one.chart.file_name + ".svg")).c_str());
  }
  if (auto done = write_text(directory / "index.html", page_of(drawn, *lines)); !done) return done;
  std::printf("%s\n", (directory / "index.html").c_str());
  return success();
}

}  // namespace

void add_report_command(CLI::App& app, int& status) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* command =
      app.add_subcommand("report", "Draw results: an HTML page that needs no other file, and SVGs");
  command->add_option("results", options->results, "Files of JSON lines, as --json prints them")->required();
  command->add_option("--out", options->out, "Directory for the page and the pictures")
      ->capture_default_str();
  command->footer(
      "Needs gnuplot. Prints the names of the files it made; files of the same names are replaced.");
  command->callback([options, &status] {
    const auto done = make_report(*options);
    if (done) return;
    std::fprintf(stderr, "sessile-bench: %s\n", done.error().message().c_str());
    if (!done.error().outside_text().empty())
      std::fprintf(stderr, "%s\n", done.error().outside_text().c_str());
    status = 1;
  });
}

}  // namespace sessile::bench
