// Checks and counts what Writer would write.
#pragma once

#include <sessile/json.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace sessile::detail {

/// Has the members of Writer. The first fault is kept, and nothing is looked at after it.
class Meter {
 public:
  /// `level`: how many arrays and objects what is measured lies in.
  Meter(const Limits& limits, std::uint32_t level);

  void open(char bracket);
  void close(char bracket);
  void name(std::string_view field);
  void element(std::size_t index);
  void begin_message() noexcept { message_start_ = size_; }
  void end_message();

  void string(std::string_view text);
  void value(const json::value& content);
  void object(const json::object& content);
  void unsigned_number(std::uint64_t number);
  void signed_number(std::int64_t number);
  void count(std::uint64_t bytes) noexcept { size_ += bytes; }
  void boolean(bool truth) { size_ += truth ? 4 : 5; }
  void timestamp(const Timestamp& time);
  /// What a store writes anew counts at its widest: a write changes nothing of a session's size but its
  /// content.
  void stamp(const Timestamp& time);
  void revision(Revision) noexcept { size_ += kRevisionBytes; }
  /// `is_stamp`: it follows one of the stamps, in a form of its own.
  template <class IsKnown>
  void extra_field(std::string_view key, const json::value& content, IsKnown is_known,
                   bool is_stamp = false) {
    if (fault_) return;
    field(key);
    if (is_known(key, content)) return refuse("extra shadows a known field");
    const std::uint64_t before = size_;
    value(content);
    if (is_stamp) widen(before);
  }
  /// A fault of the place that was last named.
  void refuse(std::string_view problem);

  bool failed() const noexcept { return fault_.has_value(); }
  /// The size, or the fault.
  Result<std::uint64_t> result() const;
  /// As result(), but too_large where the size crosses `limit` for a `what`.
  Result<std::uint64_t> result(std::uint64_t limit, std::string_view what) const;

 private:
  static constexpr std::uint64_t kStampBytes = 29;     // "2026-01-02T03:04:05.678901Z", quoted
  static constexpr std::uint64_t kRevisionBytes = 20;  // of the largest 64-bit number

  /// One level of the place: a field, or an element.
  struct Step {
    std::string_view key;
    std::size_t index = 0;
    bool in_array = false;
  };
  void comma() noexcept;
  /// Counts what began at `before` as a stamp at its widest.
  void widen(std::uint64_t before) noexcept { size_ = std::max(size_, before + kStampBytes); }
  void field(std::string_view key);
  void array(const json::array& content);
  void real(double number);
  void fail(Errc code, std::string_view problem);
  std::string place() const;

  const Limits& limits_;
  const std::uint32_t depth_limit_;
  const std::uint32_t base_level_;
  std::uint64_t size_ = 0;
  std::uint64_t message_start_ = 0;
  bool fresh_ = true;
  std::vector<Step> steps_;
  std::string scratch_;
  std::optional<Error> fault_;
};

}  // namespace sessile::detail
