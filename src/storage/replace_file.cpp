#include "storage/replace_file.hpp"

#include "storage/new_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <memory>
#include <random>
#include <utility>

namespace sessile::storage {

namespace {

constexpr std::string_view kTemporaryMark = ".tmp.";
constexpr std::size_t kNonceDigits = 16;
/// A name that is taken is a chance of one in 2^64, or somebody's malice.
constexpr int kNameAttempts = 16;

std::string hexadecimal(std::uint64_t number) {
  std::string digits(kNonceDigits, '0');
  char text[kNonceDigits];
  const auto end = std::to_chars(text, text + kNonceDigits, number, 16).ptr;
  std::copy_backward(text, end, digits.data() + digits.size());
  return digits;
}

std::string temporary_name(std::string_view name) {
  // The process's id is in the name as well, so that a forked child repeats none.
  static std::atomic<std::uint64_t> next = [] {
    std::random_device random;
    return (std::uint64_t{random()} << 32) | random();
  }();
  std::string temporary(name);
  temporary.append(kTemporaryMark).append(std::to_string(::getpid())).append(".");
  return temporary.append(hexadecimal(next.fetch_add(1)));
}

SysResult<std::unique_ptr<NewFile>> make_temporary(Directory& directory, std::string_view name) {
  for (int attempt = 1;; ++attempt) {
    auto temporary = std::make_unique<NewFile>(directory, temporary_name(name));
    const auto made = temporary->make();
    if (made) return temporary;
    if (made.error().value() != EEXIST || attempt == kNameAttempts) return made.error();
  }
}

/// Reads until `content` is full or the file ends; returns how much was read.
SysResult<std::size_t> read_all(File& file, std::span<char> content) {
  std::size_t done = 0;
  while (done < content.size()) {
    auto count = file.read_at(done, content.subspan(done));
    if (!count) return count.error();
    if (*count == 0) break;
    done += *count;
  }
  return done;
}

Error cancelled_error() {
  return Error(Errc::cancelled, "cancelled before anything was changed");
}

Errc kind_of(boost::system::error_code cause) {
  switch (cause.value()) {
    case ENOENT:
      return Errc::not_found;
    case EFBIG:
      return Errc::too_large;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EROFS:
    case ESTALE:
      return Errc::unavailable;
    default:
      return Errc::io;
  }
}

/// A failed call before the commit point: not_found would be taken for the session's absence, but what is
/// missing is its directory.
Error write_error(boost::system::error_code cause, std::string_view what, const Directory& directory,
                  std::string_view name) {
  if (cause.value() != ENOENT) return system_error(cause, what, directory, name);
  return Error(Errc::unavailable, "the directory is gone")
      .with_path((directory.path() / name).string())
      .with_cause(cause);
}

Result<void> sync_directory(Directory& directory, std::string_view name, std::string_view what) {
  auto synced = directory.sync();
  if (synced) return success();
  return Error(Errc::indeterminate, what)
      .with_path((directory.path() / name).string())
      .with_cause(synced.error());
}

bool all_of_digits(std::string_view text, std::string_view digits) {
  return !text.empty() && text.find_first_not_of(digits) == std::string_view::npos;
}

}  // namespace

Error system_error(boost::system::error_code cause, std::string_view what, const Directory& directory,
                   std::string_view name) {
  return Error(kind_of(cause), what).with_path((directory.path() / name).string()).with_cause(cause);
}

PreparedFile::PreparedFile(Directory& directory, std::string name, Durability durability,
                           std::unique_ptr<NewFile> temporary) noexcept
    : directory_(&directory),
      name_(std::move(name)),
      durability_(durability),
      temporary_(std::move(temporary)) {}
PreparedFile::PreparedFile(PreparedFile&&) noexcept = default;
PreparedFile::~PreparedFile() = default;

Result<PreparedFile> prepare_file(Directory& directory, const std::string& name, std::string_view content,
                                  Durability durability, const CommitGate& gate) {
  if (gate.cancelled()) return cancelled_error();
  auto made = make_temporary(directory, name);
  if (!made) return write_error(made.error(), "cannot make a temporary file", directory, name);
  NewFile& temporary = **made;
  if (auto written = temporary.write(content); !written) {
    return write_error(written.error(), "cannot write the temporary file", directory, name);
  }
  const bool power = durability == Durability::power;
  if (power) {
    if (auto synced = temporary.file().sync_data(); !synced) {
      return write_error(synced.error(), "cannot sync the temporary file", directory, name);
    }
  }
  // Some file systems report only here that the data did not fit.
  if (auto closed = temporary.file().close(); !closed) {
    return write_error(closed.error(), "cannot close the temporary file", directory, name);
  }
  return PreparedFile(directory, name, durability, std::move(*made));
}

Result<void> PreparedFile::put_in_place(CommitGate& gate) {
  Directory& directory = *directory_;
  const std::string& name = name_;
  NewFile& temporary = *temporary_;
  const bool power = durability_ == Durability::power;
  if (!gate.try_commit()) return cancelled_error();
  if (auto renamed = directory.rename(temporary.name(), name); !renamed) {
    return write_error(renamed.error(), "cannot put the new file in place", directory, name);
  }
  temporary.keep();
  if (!power) return success();
  return sync_directory(directory, name,
                        "the new file is in place, but its directory could not be synced: a loss of power "
                        "may bring the old one back");
}

Result<void> replace_file(Directory& directory, const std::string& name, std::string_view content,
                          Durability durability, CommitGate& gate) {
  auto prepared = prepare_file(directory, name, content, durability, gate);
  if (!prepared) return prepared.error();
  return prepared->put_in_place(gate);
}

bool directory_is_gone(const Error& error) noexcept {
  const int cause = error.cause().value();
  return error.code() == Errc::unavailable && (cause == ENOENT || cause == ESTALE);
}

Result<std::string> read_file(Directory& directory, const std::string& name, std::uint64_t limit) {
  auto file = directory.open_file(name, OpenMode::read);
  if (!file) return system_error(file.error(), "cannot open the file", directory, name);
  return read_file(**file, directory, name, limit);
}

Result<std::string> read_file(File& file, const Directory& directory, std::string_view name,
                              std::uint64_t limit) {
  auto info = file.look();
  if (!info) return system_error(info.error(), "cannot look at the file", directory, name);
  if (info->size > limit) {
    return Error(Errc::too_large, "the file holds " + std::to_string(info->size) + " bytes, more than " +
                                      std::to_string(limit))
        .with_path((directory.path() / name).string());
  }
  std::string content(info->size, '\0');
  auto count = read_all(file, content);
  if (!count) return system_error(count.error(), "cannot read the file", directory, name);
  content.resize(*count);
  return content;
}

Result<std::string> read_head(Directory& directory, const std::string& name, std::uint64_t size) {
  auto file = directory.open_file(name, OpenMode::read);
  if (!file) return system_error(file.error(), "cannot open the file", directory, name);
  return read_head(**file, directory, name, size);
}

Result<std::string> read_head(File& file, const Directory& directory, std::string_view name,
                              std::uint64_t size) {
  std::string content(size, '\0');
  auto count = read_all(file, content);
  if (!count) return system_error(count.error(), "cannot read the file", directory, name);
  content.resize(*count);
  return content;
}

Result<void> remove_file(Directory& directory, const std::string& name, Durability durability,
                         CommitGate& gate) {
  if (!gate.try_commit()) return cancelled_error();
  if (auto removed = directory.remove(name); !removed) {
    return system_error(removed.error(), "cannot remove the file", directory, name);
  }
  if (durability != Durability::power) return success();
  return sync_directory(directory, name,
                        "the file is removed, but its directory could not be synced: a loss of power may "
                        "bring it back");
}

bool is_temporary_of(std::string_view entry, std::string_view name) noexcept {
  if (!entry.starts_with(name)) return false;
  entry.remove_prefix(name.size());
  if (!entry.starts_with(kTemporaryMark)) return false;
  entry.remove_prefix(kTemporaryMark.size());
  const auto dot = entry.find('.');
  if (dot == std::string_view::npos) return false;
  return all_of_digits(entry.substr(0, dot), "0123456789") &&
         all_of_digits(entry.substr(dot + 1), "0123456789abcdef");
}

std::optional<std::string> name_of_temporary(std::string_view entry) {
  const auto mark = entry.rfind(kTemporaryMark);
  if (mark == std::string_view::npos || !is_temporary_of(entry, entry.substr(0, mark))) return std::nullopt;
  return std::string(entry.substr(0, mark));
}

void sweep_temporaries(Directory& directory, std::string_view name) {
  auto entries = directory.list();
  if (!entries) return;  // the next writer sweeps
  for (const auto& entry : *entries) {
    if (entry.kind == FileKind::regular && is_temporary_of(entry.name, name)) {
      directory.remove(entry.name).has_value();
    }
  }
}

}  // namespace sessile::storage
