#include <sessile/backend.hpp>

#include "json/session_codec.hpp"
#include "json/shapes.hpp"
#include "json/writer.hpp"

#include <algorithm>

namespace sessile {
namespace {

using DocumentWriter = detail::Writer<detail::Layout::document>;

/// What a listing shows and decode_head reads, beside the fields of the session itself.
void put_header(DocumentWriter& out, const Session& session) {
  out.name("sessile");
  out.open('{');
  out.name("format");
  out.unsigned_number(kFormatVersion);
  out.name("title");
  out.string(title_of(session));
  out.name("messages");
  out.unsigned_number(session.messages.size());
  if (is_pinned(session)) {
    out.name("pinned");
    out.boolean(true);
  }
  out.close('}');
}

}  // namespace

std::string encode_document(const Session& session, const Written& stamp, const AppendMemory& appends) {
  std::string text;
  text.reserve(std::max<std::size_t>(session.stored_bytes, 1024) + 256);
  DocumentWriter out(text);
  out.open('{');
  put_header(out, session);
  detail::put_session_fields(out, session, detail::StampView(stamp));
  if (!appends.entries().empty()) {
    out.name("sessile_appends");
    out.value(appends.to_json());
  }
  out.close('}');
  text += '\n';
  return text;
}

std::string encode_document(const Session& session, const AppendMemory& appends) {
  Written stamp;
  stamp.revision = session.revision;
  stamp.created_at = session.created_at;
  stamp.updated_at = session.updated_at;
  return encode_document(session, stamp, appends);
}

Result<StoredSession> decode_document(std::string_view text, const Limits& limits) {
  Result<json::value> document = parse_json(text, Origin::stored, limits);
  if (!document) return document.error();
  Result<detail::DecodedSession> decoded = detail::take_session(*std::move(document), Origin::stored);
  if (!decoded) return decoded.error();
  StoredSession stored(std::move(decoded->session));
  if (stored.session.revision == 0) stored.session.revision = content_revision(text);
  stored.session.stored_bytes = text.size();
  if (decoded->appends) {
    Result<AppendMemory> appends = AppendMemory::from_json(*decoded->appends);
    if (!appends) return appends.error();
    stored.appends = *std::move(appends);
  }
  return stored;
}

std::string encode_summary(const SessionSummary& summary) {
  std::string text;
  text.reserve(512);
  detail::Writer<detail::Layout::one_line> out(text);
  out.open('{');
  out.name("session_id");
  out.string(summary.id.str());
  out.name("agent_id");
  out.string(summary.agent_id.str());
  detail::put_optional(out, "user_id", summary.user_id);
  detail::put_optional(out, "project_id", summary.project_id);
  detail::put_optional(out, "parent_id", summary.parent_id.str());
  out.name("title");
  out.string(summary.title);
  out.name("created_at");
  out.timestamp(summary.created_at);
  out.name("updated_at");
  out.timestamp(summary.updated_at);
  out.name("revision");
  out.unsigned_number(summary.revision);
  out.name("message_count");
  out.unsigned_number(summary.message_count);
  out.name("stored_bytes");
  out.unsigned_number(summary.stored_bytes);
  out.name("pinned");
  out.boolean(summary.pinned);
  out.close('}');
  return text;
}

}  // namespace sessile
