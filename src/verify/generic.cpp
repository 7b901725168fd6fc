// The check that every backend has: whatever is listed can be loaded.
#include <sessile/store.hpp>

namespace sessile {

namespace {

/// True for errors that are the check's own, and not the session's.
bool says_nothing(Errc code) noexcept {
  return code == Errc::unavailable || code == Errc::cancelled || code == Errc::timed_out ||
         code == Errc::closed;
}

}  // namespace

Async<VerifyReport> SessionStore::do_verify(VerifyOptions options) {
  if (options.repairs()) {
    co_return Error(Errc::unsupported,
                    "this backend has no repair: verify without it, and restore what is damaged");
  }
  VerifyReport report;
  const auto note = [&report](const Error& error) {
    // Removed since it was listed.
    if (error.code() == Errc::not_found) return;
    Finding finding(error, error.path());
    finding.key = error.key();
    report.findings.push_back(std::move(finding));
  };
  ListQuery query;
  query.order(Order::id);
  for (;;) {
    auto page = co_await do_list(query);
    if (!page) co_return page.error();
    for (const Error& error : page->unreadable)
      note(error);
    for (const SessionSummary& summary : page->items) {
      auto loaded = co_await do_load(summary.id, LoadOptions());
      ++report.checked;
      if (!loaded && says_nothing(loaded.error().code())) co_return loaded.error();
      if (!loaded) {
        note(loaded.error().with_key(summary.id.str()));
      } else if ((*loaded)->id != summary.id) {
        note(Error(Errc::corrupt, "another session is stored under the id").with_key(summary.id.str()));
      }
      if (options.progress()) options.progress()(report.checked, 0);
    }
    if (page->next.empty()) co_return report;
    query.cursor(page->next);
  }
}

}  // namespace sessile
