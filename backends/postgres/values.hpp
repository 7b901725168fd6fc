// What is sent to the server and what comes back, in libpq's binary format. Everything a caller said goes as
// a parameter, never as part of a statement.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessile::postgres {

/// One bound parameter.
class Parameter {
 public:
  static Parameter integer(std::int64_t value);
  static Parameter integer(std::optional<std::int64_t> value);
  static Parameter boolean(bool value);
  static Parameter text(std::string value);
  static Parameter text(std::optional<std::string> value);
  static Parameter bytes(std::string value);
  static Parameter texts(const std::vector<std::string>& values);

  Oid type() const noexcept { return type_; }
  const char* data() const noexcept { return null_ ? nullptr : bytes_.data(); }
  int size() const noexcept { return static_cast<int>(bytes_.size()); }

 private:
  Parameter(Oid type, std::string bytes) : type_(type), bytes_(std::move(bytes)) {}
  Oid type_ = 0;
  bool null_ = false;
  std::string bytes_;
};

/// A statement's text. One with a name is prepared once on each connection.
class Statement {
 public:
  Statement() {}
  Statement(std::string name_, std::string text_) : name(std::move(name_)), text(std::move(text_)) {}
  std::string name;
  std::string text;
};

/// A statement to be run. `statement` must outlive it.
class Command {
 public:
  explicit Command(const Statement& statement_) : statement(&statement_) {}
  Command(const Statement& statement_, std::vector<Parameter> parameters_)
      : statement(&statement_), parameters(std::move(parameters_)) {}
  const Statement* statement;
  std::vector<Parameter> parameters;
};
using Commands = std::vector<Command>;

/// What a command returned. Rows and columns count from 0; a value asked for as what it is not is empty.
class Reply {
 public:
  explicit Reply(PGresult* result) : result_(result) {}

  int rows() const noexcept { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const noexcept { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string_view text(int row, int column) const noexcept;
  std::optional<std::int64_t> integer(int row, int column) const noexcept;
  bool boolean(int row, int column) const noexcept;
  /// The elements of a text[]; empty when it is malformed or holds a null.
  std::optional<std::vector<std::string_view>> texts(int row, int column) const;
  /// How the server names what was done: "COMMIT".
  std::string_view tag() const noexcept { return PQcmdStatus(result_.get()); }

 private:
  class Clear {
   public:
    void operator()(PGresult* result) const noexcept { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace sessile::postgres
