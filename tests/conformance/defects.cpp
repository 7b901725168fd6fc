// The table of defects, and the harness that opens a place in a broken way.
#include "conformance/broken_store.hpp"

namespace sessile::conformance {
namespace {

/// What was asked for, as a backend would take it that overlooks it.
OpenOptions overlooked(OpenOptions options, const Defect& defect) {
  Limits limits = options.limits();
  if (defect.is("limits.message")) limits.message_bytes = Limits().message_bytes;
  if (defect.is("limits.session")) limits.session_bytes = Limits().session_bytes;
  if (defect.is("limits.depth")) limits.depth = Limits().depth;
  if (defect.is("limits.exactly_at")) --limits.message_bytes;
  if (defect.is("limits.appended")) --limits.session_bytes;
  options.limits(limits);
  if (defect.is("lifecycle.read_only")) options.access(Access::read_write);
  if (defect.is("lifecycle.observer") && options.observer()) {
    options.observer([observer = options.observer()](const OperationEvent& event) {
      observer(event);
      observer(event);
    });
  }
  return options;
}

Result<StorePtr> open_at(const PlacePtr& place, OpenOptions options, const Defect& defect) {
  return StorePtr(std::make_shared<BrokenStore>(place, overlooked(std::move(options), defect), defect));
}

/// What a store that is opened anew makes of the place.
void reread(Place& place, const Defect& defect) {
  const std::lock_guard lock(place.mutex);
  if (defect.is("reopen.everything_is_there")) place.records.clear();
  if (defect.is("reopen.removed_stays_removed")) place.records.merge(place.removed);
  for (auto& [key, record] : place.records) {
    if (defect.is("append.keys_survive_reopen")) record.appends = AppendMemory();
    if (defect.is("reopen.revisions_go_on")) {
      Session session = *record.session;
      session.revision += 100;
      record.session = std::make_shared<const Session>(std::move(session));
    }
  }
}

/// The second process is broken where the first is not.
Defect of_second_process(const Defect& defect) {
  if (defect.is("processes.updates")) return Defect("update.concurrent");
  if (defect.is("processes.appends")) return Defect("append.concurrent");
  if (defect.is("processes.create_race")) return Defect("create.if_absent");
  return defect;
}

}  // namespace

Harness broken_harness(Defect defect) {
  const auto place = std::make_shared<Place>();
  Harness harness;
  harness.open = [place, defect](OpenOptions options) { return open_at(place, std::move(options), defect); };
  harness.reopen = [place, defect](OpenOptions options) {
    reread(*place, defect);
    return open_at(place, std::move(options), defect);
  };
  harness.corrupt = [place, defect](SessionId id) -> Result<void> {
    const std::lock_guard lock(place->mutex);
    place->records.at(key_of(id, defect)).corrupt = true;
    return success();
  };
  harness.discard = [place, defect](SessionId id) -> Result<void> {
    const std::lock_guard lock(place->mutex);
    place->records.erase(key_of(id, defect));
    return success();
  };
  harness.second_process = [place, defect](std::string command,
                                           std::vector<std::string> arguments) -> Result<std::string> {
    Result<StorePtr> store = open_at(place, OpenOptions(), of_second_process(defect));
    if (!store) return store.error();
    return second_process_main(*store, std::move(command), std::move(arguments));
  };
  return harness;
}

std::vector<DefectRow> defects() {
  return {
      {"roundtrip.every_field", "forgets a step's call_id"},
      {"roundtrip.session_extra", "drops objects among a session's unknown fields"},
      {"roundtrip.message_extra", "drops objects among a message's unknown fields"},
      {"roundtrip.step_extra", "drops a step's unknown fields"},
      {"roundtrip.nested_json", "drops a null from the metadata"},
      {"roundtrip.empty_session", "gives an empty session a message"},
      {"roundtrip.empty_agent", "calls the empty agent default"},
      {"roundtrip.large_session", "keeps 1,500 messages"},
      {"roundtrip.integers", "keeps integers as floating point"},
      {"roundtrip.doubles", "loses the sign of zero"},
      {"roundtrip.not_finite", "accepts NaN"},
      {"roundtrip.replaces_all", "merges the metadata"},
      {"roundtrip.foreign_times", "rewrites foreign times"},
      {"encoding.unicode", "strips byte order marks"},
      {"encoding.separators", "turns U+2028 into a newline"},
      {"encoding.controls", "drops carriage returns"},
      {"encoding.nul", "ends a text at U+0000"},
      {"encoding.invalid_utf8", "accepts invalid UTF-8"},
      {"encoding.lone_surrogates", "accepts lone surrogates"},
      {"encoding.invalid_append", "appends invalid UTF-8 as question marks"},
      {"encoding.invalid_update", "updates with question marks"},
      {"encoding.shadowing_extra", "accepts shadowing fields"},
      {"ids.one_to_200_bytes", "refuses ids of 200 bytes"},
      {"ids.too_long", "cuts long ids"},
      {"ids.empty", "gives an empty id a name"},
      {"ids.nul", "ends ids at a NUL"},
      {"ids.invalid_utf8", "renames ids that are not UTF-8"},
      {"ids.path_like", "files under the last path component"},
      {"ids.spaces_and_controls", "trims ids"},
      {"ids.case_variants", "folds case"},
      {"ids.normal_forms", "normalises ids"},
      {"ids.file_suffixes", "strips .json"},
      {"ids.percent_signs", "decodes %2e"},
      {"ids.emoji", "drops bytes of emoji"},
      {"ids.long_tails", "cuts ids at 190 bytes"},
      {"ids.order_by_bytes", "orders by signed bytes"},
      {"ids.agents", "folds the case of agents"},
      {"ids.refused_agents", "cuts long agents"},
      {"revisions.first_is_creation_time", "begins one later"},
      {"revisions.raised_by_one", "raises a save's revision by two"},
      {"revisions.if_number", "looks only for revisions near the stored one"},
      {"revisions.conflict_tells", "tells no revisions"},
      {"revisions.number_on_missing", "creates where a revision was expected"},
      {"revisions.ignored_by_save", "takes Session::revision for a condition"},
      {"revisions.unchanged_since", "accepts the revision before"},
      {"revisions.recreated", "begins anew after a removal"},
      {"times.still_clock", "repeats updated_at"},
      {"times.backward_clock", "lets updated_at go back"},
      {"times.created_stays", "takes created_at from the session"},
      {"times.preserve", "stamps imports"},
      {"times.written_is_stored", "returns another time than it stores"},
      {"create.if_absent", "overwrites on create"},
      {"create.race_has_one_winner", "looks before it creates, not as it creates"},
      {"create.after_remove", "keeps tombstones"},
      {"load.unknown", "names another key"},
      {"update.applies", "returns the session before"},
      {"update.error_writes_nothing", "writes in spite of an error"},
      {"update.exception_writes_nothing", "writes in spite of an exception"},
      {"update.id_change_refused", "puts the id back and writes"},
      {"update.no_change_no_write", "writes what did not change"},
      {"update.missing", "creates on update"},
      {"update.if_revision", "overlooks the condition of an update"},
      {"update.concurrent", "loads, changes and saves in three steps"},
      {"update.mixed", "looks at the revision before it saves, not as it saves"},
      {"update.never_resurrects", "saves what was removed meanwhile"},
      {"append.order", "reverses the messages of a call"},
      {"append.all_or_nothing", "appends one by one"},
      {"append.missing", "creates on append"},
      {"append.nothing", "writes when nothing is appended"},
      {"append.if_revision", "overlooks the condition of an append"},
      {"append.if_absent", "takes no session for any when appending"},
      {"append.keeps_the_rest", "drops the title"},
      {"append.concurrent", "loads, appends and saves in three steps"},
      {"append.replay", "forgets keys"},
      {"append.replay_before_revision", "looks at the revision first"},
      {"append.key_reused", "does not compare the messages"},
      {"append.remembers_64", "remembers 32 keys"},
      {"append.key_length", "cuts long keys"},
      {"append.keys_survive_save", "forgets keys on save"},
      {"append.keys_survive_reopen", "forgets keys on reopening"},
      {"append.keys_end_with_session", "remembers the keys of a removed session"},
      {"append.keys_of_one_session", "has one list of keys for all sessions"},
      {"append.race_of_one_key", "looks for the key before it appends, not as it appends"},
      {"remove.unknown", "removes what is not there"},
      {"remove.twice", "removes nothing"},
      {"remove.gone_from_lists", "lists what was removed"},
      {"remove.if_revision", "overlooks the condition of a removal"},
      {"remove.if_absent", "takes no session for any when removing"},
      {"remove.race_has_one_winner", "looks before it removes, not as it removes"},
      {"remove.race_with_save", "looks at the revision before it removes or saves"},
      {"list.newest_first", "reverses ties"},
      {"list.by_id", "overlooks Order::id"},
      {"list.filter_agent", "overlooks the agent"},
      {"list.filter_user", "overlooks the user"},
      {"list.filter_project", "overlooks the project"},
      {"list.filter_no_project", "takes no project for any"},
      {"list.filter_no_agent", "takes no agent for any"},
      {"list.filter_since", "leaves out the very time"},
      {"list.filters_combine", "overlooks the project when there is a user"},
      {"list.nothing_there", "says not_found when nothing is there"},
      {"list.summary_fields", "leaves out parent_id"},
      {"list.titles", "cuts titles in the middle of characters"},
      {"list.follows_writes", "counts the messages of the last save"},
      {"agents.moves", "lists under former agents"},
      {"agents.ids_are_global", "lets another agent create the same id"},
      {"paging.each_once", "drops one from each full page"},
      {"paging.page_sizes", "returns pages that are not full"},
      {"paging.while_written", "pages by offset, newest first"},
      {"paging.while_written_by_id", "pages by offset, by id"},
      {"paging.last_one_removed", "needs the last session of the page before"},
      {"paging.bound_to_its_filter", "starts over with another filter"},
      {"paging.malformed_cursor", "starts over on a malformed cursor"},
      {"paging.survives_reopen", "keeps cursors in the handle"},
      {"paging.limits", "clamps limits"},
      {"list_for_agent.whole_sessions", "leaves out the trajectory"},
      {"list_for_agent.pages", "drops one from each full page of whole sessions"},
      {"list_for_agent.byte_budget", "overlooks the byte budget"},
      {"list_for_agent.at_least_one", "returns none when one is too much"},
      {"list_for_agent.filters", "overlooks the project of an agent's sessions"},
      {"list_for_agent.empty_agent", "takes the empty agent for any"},
      {"list_for_agent.removed_meanwhile", "fails when a session went"},
      {"partial.last_messages", "returns the first messages"},
      {"partial.without_messages", "overlooks that none were asked for"},
      {"partial.whole", "marks whole sessions as parts"},
      {"partial.keeps_the_rest", "drops the metadata of parts"},
      {"partial.cannot_be_saved", "saves parts"},
      {"concurrency.readers_see_one_state", "writes in two halves"},
      {"concurrency.distinct_sessions", "has one buffer for all writers"},
      {"concurrency.several_executors", "refuses strands"},
      {"cancellation.entered_cancelled", "overlooks that it is cancelled"},
      {"cancellation.truth_of_save", "is cancelled after it saved"},
      {"cancellation.truth_of_append", "is cancelled after it appended"},
      {"cancellation.callers_state", "changes its caller's cancellation state"},
      {"cancellation.truth_of_timeout", "times out after it saved"},
      {"executors.on_io_context", "resumes an io_context's coroutine elsewhere"},
      {"executors.on_pool", "resumes a pool's coroutine elsewhere"},
      {"executors.on_strand", "resumes a strand's coroutine elsewhere"},
      {"executors.callback", "calls back on another thread"},
      {"executors.future", "throws into futures"},
      {"executors.deferred", "starts at once"},
      {"executors.blocking", "throws from blocking calls"},
      {"limits.message", "overlooks the limit of a message"},
      {"limits.session", "overlooks the limit of a session"},
      {"limits.depth", "overlooks the limit of depth"},
      {"limits.append", "overlooks the session's limit when appending"},
      {"limits.update", "overlooks the limits when updating"},
      {"limits.exactly_at", "refuses what is exactly at a limit"},
      {"limits.appended", "counts a byte too many"},
      {"limits.names", "cuts long users"},
      {"reopen.everything_is_there", "loses all on reopening"},
      {"reopen.revisions_go_on", "changes revisions on reopening"},
      {"reopen.removed_stays_removed", "brings removed sessions back on reopening"},
      {"corruption.load", "says not_found of what is corrupt"},
      {"corruption.list_goes_on", "fails the whole listing"},
      {"corruption.list_reports", "hides what is corrupt"},
      {"corruption.list_for_agent_goes_on", "fails the agent's whole listing"},
      {"corruption.save_refused", "overwrites what is corrupt"},
      {"corruption.create_refused", "creates over what is corrupt"},
      {"corruption.append_refused", "appends to what is corrupt"},
      {"corruption.update_refused", "updates what is corrupt"},
      {"corruption.remove_is_truthful", "removes and says it did not"},
      {"lifecycle.handle_dropped", "lets the store go with the handle"},
      {"lifecycle.closed", "does not close"},
      {"lifecycle.close_drains", "does not wait"},
      {"lifecycle.flush", "cannot flush"},
      {"lifecycle.observer", "tells all twice"},
      {"lifecycle.observer_throws", "fails when the observer throws"},
      {"lifecycle.read_only", "writes though read-only"},
      {"lifecycle.durability_too_strong", "promises what it cannot keep"},
      {"lifecycle.durabilities", "refuses to be asked for a durability"},
      {"lifecycle.capabilities", "has no name"},
      {"lifecycle.errors_say_where", "tells a wrong operation"},
      {"processes.updates", "loses updates to another process"},
      {"processes.appends", "loses appends to another process"},
      {"processes.create_race", "lets another process create again"},
  };
}

}  // namespace sessile::conformance
