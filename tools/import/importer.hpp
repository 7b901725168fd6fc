// From the transcripts of other programs to sessions, losing no record.
#pragma once

#include "import/transcript_file.hpp"

#include <sessile/capabilities.hpp>
#include <sessile/results.hpp>
#include <sessile/session.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::importing {

/// What a file may hold. docs/formats.md says how each is read.
enum class Format {
  automatic,    ///< told by the content
  claude_code,  ///< JSONL: one file, one session
  codex,        ///< JSONL rollout: one file, one session
  reference,    ///< one document of the reference library
  agent_os,     ///< one document of the agent operating system
  sessile,      ///< our own document, or JSONL of them: several sessions
};

/// True of those whose lines are all one session; of the others a line, or the whole file, is a session.
constexpr bool is_transcript_of_lines(Format format) noexcept {
  return format == Format::claude_code || format == Format::codex;
}

/// The name of a format as `--format` takes it, and back; empty when there is none of that name.
std::string_view name(Format format) noexcept;
std::optional<Format> format_named(std::string_view name) noexcept;

/// Bounds on what is read. A record takes a few levels and bytes more inside a session than it has by itself,
/// so these are narrower than the store's.
class ImportLimits {
 public:
  ImportLimits() noexcept : ImportLimits(Limits()) {}
  explicit ImportLimits(const Limits& store) noexcept;

  std::uint64_t file_bytes;  ///< a file that becomes one session
  std::uint64_t line_bytes;  ///< one record
  Limits session;            ///< a document of ours, of which a file may hold any number
  std::uint32_t depth;       ///< nesting of one record
};

/// A part of a file that did not become part of the conversation.
class Skipped {
 public:
  Skipped(std::uint64_t line_, std::string reason_) : line(line_), reason(std::move(reason_)) {}
  std::uint64_t line;  ///< counted from 1
  std::string reason;  ///< holds nothing of the line's content
};

/// How many Skipped a FileReport names; more are only counted.
inline constexpr std::size_t kMaxSkippedNamed = 1000;

/// What was found in one file.
class FileReport {
 public:
  FileReport() {}
  void skip(std::uint64_t line, std::string reason);

  Format format = Format::automatic;
  std::string source;  ///< the absolute path
  std::string sha256;  ///< of the file's bytes, in hexadecimal
  std::uint64_t records = 0;
  std::uint64_t sessions = 0;
  std::uint64_t skipped_count = 0;
  std::vector<Skipped> skipped;
};

/// Receives the sessions of a file, one by one, in order, and the format they were in.
using SessionSink = std::function<void(Session, Format)>;

/// Reads one regular file and hands its sessions to `sink`. A line that cannot be read is reported and never
/// keeps the others from being read. Blocks the calling thread.
///
/// Errors: unsupported when the content is of no known format, or not of the one asked for; too_large; io;
/// for a document: corrupt. Nothing has been handed over then, but for a JSONL file of ours on which reading
/// failed.
Result<FileReport> read_transcript(const TranscriptFile& file, Format format, const ImportLimits& limits,
                                   const SessionSink& sink);
/// The same for a file that is named itself.
Result<FileReport> read_transcript(const std::filesystem::path& file, Format format,
                                   const ImportLimits& limits, const SessionSink& sink);

/// The original records of an imported transcript, in their order, as they were parsed; empty for a session
/// that came from a document, whose fields are in the session itself. A message that was edited since shows
/// in its record.
std::vector<json::value> original_records(const Session& session);

/// A file or directory that was not read, and why.
class Unvisited {
 public:
  std::string path;
  std::string reason;
};

/// The transcript files (*.jsonl, *.json) under `path`, sorted; `path` itself when it is a file, whatever its
/// name. Symbolic links below `path` are not followed, and told in `unvisited` with what could not be
/// entered. Errors: io when `path` itself cannot be read.
Result<std::vector<TranscriptFile>> transcript_files(const std::filesystem::path& path,
                                                     std::vector<Unvisited>& unvisited);

}  // namespace sessile::importing
