// A complete backend in a hundred lines: JSON texts in a map behind a mutex. docs/writing-a-backend.md walks
// through it.
#pragma once

// [includes]
#include <sessile/backend.hpp>
#include <sessile/store.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>
// [/includes]

namespace tiny {

// [place]
/// Where the sessions are. Every store that is opened on it shares it.
class Shelf {
 public:
  Shelf() {}
  std::mutex mutex;
  std::map<std::string, std::string> texts;  // a session's JSON by its id; protected by mutex
};
// [/place]

// [capabilities]
inline sessile::Capabilities capabilities_for(const sessile::OpenOptions& options) {
  sessile::Capabilities capabilities;
  capabilities.backend = "tiny";
  capabilities.max_durability = sessile::Durability::none;
  capabilities.default_durability = sessile::Durability::none;
  capabilities.reach = sessile::Reach::process;
  capabilities.limits = options.limits();
  return capabilities;
}
// [/capabilities]

class TinyStore final : public sessile::SessionStore {
  template <class T>
  using Async = sessile::Async<T>;

 public:
  // [constructor]
  TinyStore(std::shared_ptr<Shelf> shelf, sessile::OpenOptions options)
      : SessionStore(options, capabilities_for(options)),
        shelf_(std::move(shelf)),
        stamper_(options.clock()) {}
  // [/constructor]

 private:
  // [find]
  /// The session stored under `id`. The shelf's mutex must be held. Errors: not_found, corrupt.
  sessile::Result<sessile::Session> find(const sessile::SessionId& id) const {
    const auto found = shelf_->texts.find(id.str());
    if (found == shelf_->texts.end()) return sessile::Error(sessile::Errc::not_found);
    auto session = sessile::decode_session(found->second, sessile::Origin::stored, capabilities().limits);
    if (session) session->stored_bytes = found->second.size();
    return session;
  }
  // [/find]

  // [load]
  Async<sessile::SessionPtr> do_load(sessile::SessionId id, sessile::LoadOptions options) override {
    const std::lock_guard lock(shelf_->mutex);
    auto session = find(id);
    if (!session) co_return session.error();
    co_return partial_view(std::make_shared<const sessile::Session>(std::move(*session)), options);
  }
  // [/load]

  // [save]
  Async<sessile::Written> do_save(sessile::SessionPtr session, sessile::SaveOptions options) override {
    const std::lock_guard lock(shelf_->mutex);
    auto before = find(session->id);
    if (!before && before.error().code() != sessile::Errc::not_found) co_return before.error();

    std::optional<sessile::StoredState> stored;
    std::optional<sessile::Revision> revision;
    if (before) {
      stored = sessile::StoredState(before->revision, before->created_at, before->updated_at);
      revision = before->revision;
    }
    auto expected = check_revision(options.if_revision(), revision);
    if (!expected) co_return expected.error();

    const sessile::Written written = stamper_.next(stored, *session, options.times());
    shelf_->texts[session->id.str()] = encode_session(stamped(*session, written));
    co_return written;
  }
  // [/save]

  // [remove]
  Async<void> do_remove(sessile::SessionId id, sessile::RemoveOptions options) override {
    const std::lock_guard lock(shelf_->mutex);
    auto before = find(id);
    if (!before) co_return before.error();
    auto expected = check_revision(options.if_revision(), before->revision);
    if (!expected) co_return expected.error();

    stamper_.retired(before->revision);
    shelf_->texts.erase(id.str());
    co_return sessile::success();
  }
  // [/remove]

  // [list]
  Async<sessile::Page<sessile::SessionSummary>> do_list(sessile::ListQuery query) override {
    std::vector<sessile::SessionSummary> summaries;
    std::vector<sessile::Error> unreadable;
    const std::lock_guard lock(shelf_->mutex);
    for (const auto& [id, text] : shelf_->texts) {
      auto session = find(id);
      if (session) {
        summaries.push_back(summarize(*session));
      } else {
        unreadable.push_back(session.error().with_key(id));
      }
    }
    co_return make_page(std::move(summaries), std::move(unreadable), query);
  }
  // [/list]

  // [members]
  const std::shared_ptr<Shelf> shelf_;
  const sessile::Stamper stamper_;
  // [/members]
};

// [open]
inline sessile::Result<std::shared_ptr<sessile::SessionStore>> open(std::shared_ptr<Shelf> shelf,
                                                                    sessile::OpenOptions options) {
  return std::shared_ptr<sessile::SessionStore>(
      std::make_shared<TinyStore>(std::move(shelf), std::move(options)));
}

/// Makes `open_store("tiny:")` work; all of them share one shelf.
inline sessile::Result<void> register_tiny() {
  auto shelf = std::make_shared<Shelf>();
  return sessile::register_scheme(
      "tiny",
      [shelf](sessile::StoreUrl url,
              sessile::OpenOptions options) -> sessile::Result<std::shared_ptr<sessile::SessionStore>> {
        sessile::UrlParameters parameters(url);
        if (auto common = parameters.apply_common(options); !common) return common.error();
        if (auto finished = parameters.finish(); !finished) return finished.error();
        return open(shelf, std::move(options));
      });
}
// [/open]

}  // namespace tiny
