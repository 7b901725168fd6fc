#include "logs/line_file.hpp"

#include "storage/poison_mark.hpp"
#include "storage/replace_file.hpp"

#include <sessile/error.hpp>

#include <memory>
#include <span>

namespace sessile::detail {

namespace {

using boost::system::error_code;
using storage::CommitGate;
using storage::Directory;
using storage::File;
using storage::OpenMode;

/// One append to one open file.
class LineAppender {
 public:
  LineAppender(Directory& directory, const std::string& name, const LineToAppend& what, CommitGate& gate)
      : directory_(directory), name_(name), what_(what), gate_(gate) {}

  Result<void> run() {
    if (auto opened = open(); !opened) return opened;
    auto text = text_to_write();
    if (!text) return text.error();
    if (!text->empty()) {
      if (end_ + text->size() > what_.size_limit) {
        return Error(Errc::too_large,
                     "the log would be larger than the limit of a session, with which it is read")
            .with_path((directory_.path() / name_).native());
      }
    }
    // Somebody's sync failed, and what it was to cover may be in the kernel only, for good.
    if (what_.durability == Durability::power && storage::is_poisoned(directory_, name_)) {
      return write_anew(*text);
    }
    if (!text->empty()) {
      if (!gate_.try_commit()) return Error(Errc::cancelled);
      if (auto written = write(*text); !written) return written;
    }
    // Also what is there already: whoever wrote it may not have been able to.
    if (what_.durability != Durability::power) return success();
    if (auto synced = file_->sync_data(); !synced) return rewrite(synced.error(), *text);
    if (auto synced = directory_.sync(); !synced) {
      return indeterminate(synced.error(), "the directory's sync failed: the log may be lost with the power");
    }
    return success();
  }

 private:
  Result<void> open() {
    for (;;) {
      auto opened = directory_.open_file(name_, OpenMode::read_write);
      if (opened) return file_ = std::move(*opened), success();
      if (opened.error() != boost::system::errc::no_such_file_or_directory) {
        return failed(opened.error(), "cannot open the log");
      }
      if (!gate_.try_commit()) return Error(Errc::cancelled);
      auto made = directory_.open_file(name_, OpenMode::create_exclusive);
      if (made) return file_ = std::move(*made), success();
      if (made.error() != boost::system::errc::file_exists)
        return failed(made.error(), "cannot make the log");
    }
  }

  Result<std::string> text_to_write() {
    auto info = file_->info();
    if (!info) return failed(info.error(), "cannot look at the log");
    end_ = info->size;
    std::string text;
    if (end_ == 0) {
      text.append(what_.header).push_back('\n');
    } else if (!what_.line.empty()) {
      char last = '\n';
      auto count = file_->read_at(end_ - 1, std::span(&last, 1));
      if (!count) return failed(count.error(), "cannot read the log");
      if (last != '\n') text.push_back('\n');
    }
    if (!what_.line.empty()) text.append(what_.line).push_back('\n');
    return text;
  }

  Result<void> write(std::string_view text) {
    std::size_t done = 0;
    error_code cause;
    while (done < text.size() && !cause) {
      auto count = file_->write_at(end_ + done, std::span(text).subspan(done));
      if (count && *count > 0) {
        done += *count;
      } else {
        cause = count ? make_error_code(boost::system::errc::no_space_on_device) : count.error();
      }
    }
    if (!cause) return success();
    if (auto cut = file_->truncate(end_); !cut) {
      return indeterminate(cut.error(), "a line that was written in part cannot be taken back");
    }
    return failed(cause, "cannot append to the log");
  }

  /// The kernel may have dropped what was written, and a second sync would not say so: all goes to a new
  /// file, if what is read back still has what was written last.
  Result<void> rewrite(error_code cause, std::string_view text) {
    storage::mark_poisoned(directory_, name_);
    auto content = storage::read_file(directory_, name_, what_.size_limit);
    if (content && content->size() == end_ + text.size() && content->ends_with(text)) {
      auto replaced = put_in_place(*content);
      if (replaced) return success();
      replaced.ignore();
    }
    content.ignore();
    return indeterminate(cause, "the log's sync failed, and it could not be written anew");
  }

  /// The file with `text` at its end as a new one.
  Result<void> write_anew(std::string_view text) {
    auto content = storage::read_file(directory_, name_, what_.size_limit);
    if (!content) return content.error();
    return put_in_place(content->append(text));
  }

  Result<void> put_in_place(std::string_view content) {
    auto replaced = storage::replace_file(directory_, name_, content, Durability::power, gate_);
    // indeterminate: the new file is in place, and it was synced.
    if (replaced || replaced.error().code() == Errc::indeterminate) storage::clear_poison(directory_, name_);
    return replaced;
  }

  Error failed(error_code cause, std::string_view what) const {
    return storage::system_error(cause, what, directory_, name_);
  }
  Error indeterminate(error_code cause, std::string_view what) const {
    return Error(Errc::indeterminate, what).with_path((directory_.path() / name_).native()).with_cause(cause);
  }

  Directory& directory_;
  const std::string& name_;
  const LineToAppend& what_;
  CommitGate& gate_;
  std::unique_ptr<File> file_;
  std::uint64_t end_ = 0;  // of the file, before this append
};

}  // namespace

Result<void> append_line(Directory& directory, const std::string& name, const LineToAppend& what,
                         CommitGate& gate) {
  return LineAppender(directory, name, what, gate).run();
}

}  // namespace sessile::detail
