// What the tests of the importers share: folders of their own, transcripts, and a second way to take them
// apart.
#pragma once

#include "import/importer.hpp"

#include <sessile/json.hpp>

#include <boost/json/stream_parser.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::importing {

/// A fresh folder, removed in the end.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("sessile-import-" + SessionId::random().str())) {
    std::filesystem::create_directory(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  std::filesystem::path write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary)
        .write(text.data(), static_cast<std::streamsize>(text.size()));
    return path_ / name;
  }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  const std::filesystem::path path_;
};

inline std::string read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// A file as read_transcript sees it.
class Imported {
 public:
  explicit Imported(const std::filesystem::path& file, Format format = Format::automatic,
                    const ImportLimits& limits = ImportLimits())
      : Imported(TranscriptFile(file), format, limits) {}
  explicit Imported(const TranscriptFile& file, Format format = Format::automatic,
                    const ImportLimits& limits = ImportLimits()) {
    Result<FileReport> read = read_transcript(
        file, format, limits, [this](Session session, Format) { sessions.push_back(std::move(session)); });
    if (read)
      report = std::move(*read);
    else
      error = read.error();
  }
  const Session& only() const {
    INFO(error.message());
    REQUIRE(sessions.size() == 1);
    return sessions.front();
  }
  std::vector<Session> sessions;
  FileReport report;
  Error error;
};

/// The JSON values of a JSONL file, found by Boost.JSON's own incremental parser: several a line when they
/// are glued; what it cannot read ends the line.
inline std::vector<json::value> independent_parse(const std::string& text) {
  std::vector<json::value> values;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    while (line.find_first_not_of(" \r\t") != std::string_view::npos) {
      json::stream_parser parser;
      boost::system::error_code failed;
      const std::size_t length = parser.write_some(line.data(), line.size(), failed);
      if (!failed && !parser.done()) parser.finish(failed);  // a number ends with the text
      if (failed) break;
      values.push_back(parse_json(line.substr(0, length), Origin::caller).value());
      line.remove_prefix(length);
    }
  }
  return values;
}

inline const std::filesystem::path kSamples = SESSILE_SAMPLES;

}  // namespace sessile::importing
