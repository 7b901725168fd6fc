// What is fuzzed: functions that take any bytes and abort when a promise is broken.
#pragma once

#include <sessile/result.hpp>

#include <span>
#include <string>
#include <string_view>

namespace sessile::fuzz {

class Target {
 public:
  Target(std::string_view name_, void (*run_)(std::string_view)) : name(name_), run(run_) {}
  std::string_view name;  ///< also of its folder in corpus/
  void (*run)(std::string_view bytes);
};

std::span<const Target> targets();
/// Null: there is none of that name.
const Target* target_named(std::string_view name);

/// Ends the program when a promise is broken.
void require(bool kept, std::string_view promise);

/// Takes the bytes of an input apart, so that one input can stand for several arguments.
class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}
  bool empty() const noexcept { return rest_.empty(); }
  /// The next byte; 0 at the end.
  unsigned byte();
  unsigned below(unsigned bound) { return byte() % bound; }
  /// Up to the next newline, which is passed over.
  std::string_view line();
  std::string_view take(std::size_t count);
  std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
};

/// A folder of this process in memory where there is one; the same at each call, and removed in the end.
const std::string& scratch_folder();

void session_json(std::string_view bytes);
void json_text(std::string_view bytes);
void file_names(std::string_view bytes);
void log_bytes(std::string_view bytes);
void log_damage(std::string_view bytes);
void log_records(std::string_view bytes);
void transcripts(std::string_view bytes);
void edits(std::string_view bytes);
void operations(std::string_view bytes);
void stored_sessions(std::string_view bytes);
void stored_documents(std::string_view bytes);
void session_lines(std::string_view bytes);
void memory_records(std::string_view bytes);
void store_urls(std::string_view bytes);

}  // namespace sessile::fuzz
