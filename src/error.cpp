#include <sessile/async.hpp>
#include <sessile/error.hpp>

#include <cstdio>
#include <cstdlib>
#include <new>

namespace sessile {

namespace {

class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "sessile"; }
  std::string message(int value) const override {
    return std::string(sessile::name(static_cast<Errc>(value)));
  }
};

std::string_view advice(Errc code) noexcept {
  switch (code) {
    case Errc::conflict:
      return "load the session again and decide anew";
    case Errc::locked:
      return "try again, or raise the lock timeout";
    case Errc::corrupt:
      return "the stored bytes were left as they are; restore the file or move it aside";
    case Errc::indeterminate:
      return "load the session to see what is stored before trying again";
    case Errc::unavailable:
    case Errc::timed_out:
      return "try again";
    case Errc::closed:
      return "open the store again";
    default:
      return {};
  }
}

/// Ids come from outside: a newline or an escape sequence in one must not reach a log as such.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
}

std::string revision_text(const std::optional<Revision>& revision) {
  return revision ? "revision " + std::to_string(*revision) : std::string("nothing");
}

}  // namespace

const boost::system::error_category& error_category() noexcept {
  // Never destroyed: errors may be looked at while the program ends.
  static const Category* const category = new Category;
  return *category;
}

boost::system::error_code make_error_code(Errc code) noexcept {
  return boost::system::error_code(static_cast<int>(code), error_category());
}

std::string_view name(Errc code) noexcept {
  switch (code) {
    case Errc::not_found:
      return "not_found";
    case Errc::conflict:
      return "conflict";
    case Errc::locked:
      return "locked";
    case Errc::corrupt:
      return "corrupt";
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::too_large:
      return "too_large";
    case Errc::unavailable:
      return "unavailable";
    case Errc::indeterminate:
      return "indeterminate";
    case Errc::cancelled:
      return "cancelled";
    case Errc::timed_out:
      return "timed_out";
    case Errc::unsupported:
      return "unsupported";
    case Errc::closed:
      return "closed";
    case Errc::io:
      return "io";
  }
  return "unknown";
}

const Error::Fields& Error::fields() const noexcept {
  static const Fields* const none = new Fields;
  return fields_ ? *fields_ : *none;
}

Error::Fields& Error::own_fields() {
  // Always a copy: another thread may hold one of this object's copies.
  auto mine = std::make_shared<Fields>(fields());
  Fields& result = *mine;
  fields_ = std::move(mine);
  return result;
}

Error& Error::with_operation(std::string_view text) {
  return own_fields().operation = text, *this;
}
Error& Error::with_backend(std::string_view text) {
  return own_fields().backend = text, *this;
}
Error& Error::with_key(std::string_view text) {
  return own_fields().key = text, *this;
}
Error& Error::with_detail(std::string_view text) {
  return own_fields().detail = text, *this;
}
Error& Error::with_outside_text(std::string_view text) {
  return own_fields().outside_text = text, *this;
}
Error& Error::with_path(std::string_view text) {
  return own_fields().path = text, *this;
}
Error& Error::with_offset(std::uint64_t bytes) {
  return own_fields().offset = bytes, *this;
}
Error& Error::with_holder(LockHolder holder) {
  return own_fields().holder = std::move(holder), *this;
}
Error& Error::with_waited(std::chrono::milliseconds time) {
  return own_fields().waited = time, *this;
}
Error& Error::with_cause(boost::system::error_code cause) {
  return own_fields().cause = cause, *this;
}
Error& Error::with_revisions(std::optional<Revision> expected, std::optional<Revision> actual) {
  Fields& mine = own_fields();
  mine.expected = expected;
  mine.actual = actual;
  return *this;
}

bool Error::retryable() const noexcept {
  return code_ == Errc::locked || code_ == Errc::unavailable || code_ == Errc::timed_out;
}

std::string Error::message() const {
  const Fields& f = fields();
  std::string out(name(code_));
  if (!f.operation.empty()) out += ": " + f.operation;
  if (!f.key.empty()) {
    out += " '";
    append_escaped(out, f.key);
    out += '\'';
  }
  if (!f.backend.empty()) out += " (" + f.backend + ")";
  if (!f.path.empty()) {
    out += ": ";
    append_escaped(out, f.path);
    if (f.offset) out += " at byte " + std::to_string(*f.offset);
  } else if (f.offset) {
    out += " at byte " + std::to_string(*f.offset);
  }
  if (!f.detail.empty()) append_escaped(out += ": ", f.detail);
  if (code_ == Errc::conflict) {
    out += ": expected " + revision_text(f.expected) + ", stored is " + revision_text(f.actual);
  }
  if (f.holder && f.holder->pid != 0) {
    out += ": held by process " + std::to_string(f.holder->pid);
    if (!f.holder->host.empty()) append_escaped(out += " on ", f.holder->host);
    if (!f.holder->since.empty()) append_escaped(out += " since ", f.holder->since);
  }
  if (f.waited) out += ": waited " + std::to_string(f.waited->count()) + " ms";
  if (f.cause) out += ": " + f.cause.message();
  if (!f.outside_text.empty()) {
    out += ": \"";
    append_escaped(out, f.outside_text);
    out += '"';
  }
  if (const std::string_view next = advice(code_); !next.empty()) out.append("; ").append(next);
  return out;
}

SystemError::SystemError(Error error)
    : boost::system::system_error(make_error_code(error.code()), error.message()), error_(std::move(error)) {}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw SystemError(error);
}

namespace detail {

void on_unchecked_error([[maybe_unused]] const Error& error) noexcept {
#ifndef NDEBUG
  // A coroutine frame that is unwound by an exception, or destroyed with its executor, looks at nothing.
  if (std::uncaught_exceptions() > 0) return;
  std::fprintf(stderr, "sessile: a Result was destroyed and its error never looked at: %s\n",
               error.message().c_str());
  std::abort();
#endif
}

void throw_error(const Error& error) {
  throw SystemError(error);
}

Error error_from(std::exception_ptr thrown) noexcept {
  try {
    try {
      std::rethrow_exception(std::move(thrown));
    } catch (const SystemError& e) {
      return e.error();
    } catch (const boost::system::system_error& e) {
      if (e.code() == asio::error::operation_aborted) return Error(Errc::cancelled);
      return Error(Errc::io, "an operation of the backend failed").with_cause(e.code());
    } catch (const std::bad_alloc&) {
      return Error(Errc::unavailable);
    } catch (const std::exception& e) {
      return Error(Errc::io, "the backend threw an exception").with_outside_text(e.what());
    } catch (...) {
      return Error(Errc::io, "the backend threw something that is no exception");
    }
  } catch (...) {
    return Error(Errc::unavailable);
  }
}

}  // namespace detail

}  // namespace sessile
