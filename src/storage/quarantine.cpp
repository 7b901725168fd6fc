#include "storage/quarantine.hpp"

#include "storage/new_file.hpp"
#include "storage/replace_file.hpp"

#include <sessile/json.hpp>
#include <sessile/time.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <random>
#include <vector>

namespace sessile::storage {

namespace {

constexpr std::size_t kCopyBytes = std::size_t{1} << 20;
/// Leaves room for time, nonce and `.reason.json` in 255 bytes.
constexpr std::size_t kMostNameBytes = 190;
constexpr int kNameAttempts = 16;
constexpr std::string_view kReason = ".reason.json";

std::string reason_of(const Finding& finding, std::uint64_t offset, std::uint64_t bytes) {
  const auto text = [](const std::string& value) {
    return is_utf8(value) ? value : std::string("(not UTF-8)");
  };
  json::object reason;
  reason["kind"] = json::string_view(name(finding.kind));
  reason["path"] = text(finding.path);
  reason["from"] = offset;
  reason["bytes"] = bytes;
  if (finding.offset) reason["offset"] = *finding.offset;
  reason["detail"] = text(finding.detail);
  reason["at"] = format_time(system_clock()->now());
  std::string out;
  write_json(out, reason);
  return out += '\n';
}

SysResult<void> finish(File& file) {
  if (auto synced = file.sync_data(); !synced) return synced;
  return file.close();
}

SysResult<void> copy_bytes(File& from, std::uint64_t offset, NewFile& to) {
  std::vector<char> block(kCopyBytes);
  for (;;) {
    auto count = from.read_at(offset, block);
    if (!count) return count.error();
    if (*count == 0) return {};
    if (auto written = to.write(std::string_view(block.data(), *count)); !written) return written;
    offset += *count;
  }
}

SysResult<std::unique_ptr<NewFile>> make(Directory& place, std::string name) {
  auto entry = std::make_unique<NewFile>(place, std::move(name));
  if (auto made = entry->make(); !made) return made.error();
  return entry;
}

SysResult<std::unique_ptr<NewFile>> make_entry(Directory& place, std::string_view file) {
  for (int attempt = 1;; ++attempt) {
    auto made = make(place, name_aside(file, ".", kMostNameBytes));
    if (made || made.error().value() != EEXIST || attempt == kNameAttempts) return made;
  }
}

Error failed(boost::system::error_code cause, const Directory& place, std::string_view name) {
  return system_error(cause, "cannot put it into quarantine; it is left as it was", place, name);
}

}  // namespace

std::string name_aside(std::string_view file, std::string_view mark, std::size_t most) {
  std::random_device random;
  char nonce[16];
  const std::uint64_t number = (std::uint64_t{random()} << 32) | random();
  const auto end = std::to_chars(nonce, nonce + sizeof nonce, number, 16).ptr;
  std::string time = format_time(system_clock()->now());
  // Colons are not for file names everywhere.
  time.erase(std::remove_if(time.begin(), time.end(), [](char c) { return c == ':' || c == '-'; }),
             time.end());
  std::string name(file.substr(0, most));
  return name.append(mark).append(time).append("-").append(nonce, end);
}

Result<void> Quarantine::copy(Directory& from, const std::string& file, std::uint64_t offset,
                              Finding& finding) {
  auto source = from.open_file(file, OpenMode::read);
  if (!source) return failed(source.error(), from, file);
  auto place = open_or_make_directory(home_, name_);
  if (!place) return failed(place.error(), home_, name_);
  auto entry = make_entry(**place, file);
  if (!entry) return failed(entry.error(), **place, file);
  if (auto copied = copy_bytes(**source, offset, **entry); !copied) {
    return failed(copied.error(), **place, (*entry)->name());
  }
  auto reason = make(**place, (*entry)->name() + std::string(kReason));
  if (!reason) return failed(reason.error(), **place, (*entry)->name());
  auto written = (*reason)->write(reason_of(finding, offset, (*entry)->size()));
  if (written) written = finish((*reason)->file());
  if (written) written = finish((*entry)->file());
  if (written) written = (*place)->sync();
  if (!written) return failed(written.error(), **place, (*entry)->name());
  (*entry)->keep();
  (*reason)->keep();
  finding.quarantine = ((*place)->path() / (*entry)->name()).string();
  return success();
}

Result<void> Quarantine::move(Directory& from, const std::string& file, Finding& finding) {
  const auto before = from.info(file);
  if (auto copied = copy(from, file, 0, finding); !copied) return copied;
  const auto now = from.info(file);
  if (!before || !now || before->identity != now->identity || before->size != now->size) {
    // By a program that does not take the lock: what is there now was not copied.
    return Error(Errc::conflict, "the file was replaced while it was copied")
        .with_path((from.path() / file).string());
  }
  if (auto removed = from.remove(file); !removed) {
    return system_error(removed.error(), "it was copied to quarantine, but cannot be removed", from, file);
  }
  if (auto synced = from.sync(); !synced) {
    return system_error(synced.error(), "it was moved to quarantine, but the directory not synced", from,
                        file);
  }
  return success();
}

}  // namespace sessile::storage
