#include "values.hpp"

namespace sessile::postgres {

namespace {

// pg_type's fixed numbers.
constexpr Oid kBool = 16;
constexpr Oid kBytea = 17;
constexpr Oid kInt8 = 20;
constexpr Oid kText = 25;
constexpr Oid kTextArray = 1009;

template <class Number>
void put(std::string& out, Number number) {
  for (int shift = (static_cast<int>(sizeof number) - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<std::uint64_t>(number) >> shift);
}

std::uint64_t get(std::string_view bytes) noexcept {
  std::uint64_t number = 0;
  for (const char byte : bytes)
    number = (number << 8) | static_cast<unsigned char>(byte);
  return number;
}

/// Takes numbers and bytes off the front of a value; ok() is false once there were too few.
class Reader {
 public:
  explicit Reader(std::string_view rest) noexcept : rest_(rest) {}
  std::string_view take(std::size_t count) noexcept {
    if (count > rest_.size()) return ok_ = false, std::string_view();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::int32_t number() noexcept { return static_cast<std::int32_t>(get(take(4))); }
  bool ok() const noexcept { return ok_; }
  std::size_t left() const noexcept { return rest_.size(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

Parameter Parameter::integer(std::int64_t value) {
  std::string bytes;
  put(bytes, value);
  return Parameter(kInt8, std::move(bytes));
}

Parameter Parameter::integer(std::optional<std::int64_t> value) {
  Parameter parameter = integer(value.value_or(0));
  parameter.null_ = !value;
  return parameter;
}

Parameter Parameter::boolean(bool value) {
  return Parameter(kBool, std::string(1, value ? '\1' : '\0'));
}

Parameter Parameter::text(std::string value) {
  return Parameter(kText, std::move(value));
}

Parameter Parameter::text(std::optional<std::string> value) {
  const bool null = !value;
  Parameter parameter(kText, null ? std::string() : std::move(*value));
  parameter.null_ = null;
  return parameter;
}

Parameter Parameter::bytes(std::string value) {
  return Parameter(kBytea, std::move(value));
}

Parameter Parameter::texts(const std::vector<std::string>& values) {
  std::size_t size = 20;
  for (const std::string& value : values)
    size += 4 + value.size();
  std::string bytes;
  bytes.reserve(size);
  put(bytes, std::int32_t{1});  // dimensions
  put(bytes, std::int32_t{0});  // has nulls: no
  put(bytes, kText);
  put(bytes, static_cast<std::int32_t>(values.size()));
  put(bytes, std::int32_t{1});  // the first index
  for (const std::string& value : values) {
    put(bytes, static_cast<std::int32_t>(value.size()));
    bytes += value;
  }
  return Parameter(kTextArray, std::move(bytes));
}

std::string_view Reply::text(int row, int column) const noexcept {
  return std::string_view(PQgetvalue(result_.get(), row, column),
                          static_cast<std::size_t>(PQgetlength(result_.get(), row, column)));
}

std::optional<std::int64_t> Reply::integer(int row, int column) const noexcept {
  const std::string_view bytes = text(row, column);
  if (is_null(row, column) || (bytes.size() != 8 && bytes.size() != 4)) return std::nullopt;
  if (bytes.size() == 4) return static_cast<std::int32_t>(get(bytes));
  return static_cast<std::int64_t>(get(bytes));
}

bool Reply::boolean(int row, int column) const noexcept {
  const std::string_view bytes = text(row, column);
  return bytes.size() == 1 && bytes[0] != '\0';
}

std::optional<std::vector<std::string_view>> Reply::texts(int row, int column) const {
  std::vector<std::string_view> out;
  if (is_null(row, column)) return out;
  Reader reader(text(row, column));
  const std::int32_t dimensions = reader.number();
  const std::int32_t nulls = reader.number();
  reader.number();  // the type of the elements
  if (!reader.ok() || dimensions < 0 || dimensions > 1 || nulls != 0) return std::nullopt;
  if (dimensions == 0) return out;
  const std::int32_t count = reader.number();
  reader.number();  // the first index
  if (!reader.ok() || count < 0 || static_cast<std::size_t>(count) > reader.left() / 4) return std::nullopt;
  out.reserve(static_cast<std::size_t>(count));
  for (std::int32_t i = 0; i < count; ++i) {
    const std::int32_t size = reader.number();
    if (!reader.ok() || size < 0) return std::nullopt;
    out.push_back(reader.take(static_cast<std::size_t>(size)));
  }
  if (!reader.ok()) return std::nullopt;
  return out;
}

}  // namespace sessile::postgres
