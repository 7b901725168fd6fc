// All of Sessile but the conformance suite.
#pragma once

#include <sessile/async.hpp>
#include <sessile/backend.hpp>
#include <sessile/blocking.hpp>
#include <sessile/capabilities.hpp>
#include <sessile/error.hpp>
#include <sessile/filesystem.hpp>
#include <sessile/functions.hpp>
#include <sessile/ids.hpp>
#include <sessile/json.hpp>
#include <sessile/json_directory.hpp>
#include <sessile/lock_options.hpp>
#include <sessile/log_options.hpp>
#include <sessile/memory.hpp>
#include <sessile/memory_log.hpp>
#include <sessile/mutation.hpp>
#include <sessile/observer.hpp>
#include <sessile/open.hpp>
#include <sessile/options.hpp>
#include <sessile/result.hpp>
#include <sessile/results.hpp>
#include <sessile/retention.hpp>
#include <sessile/session.hpp>
#include <sessile/session_log.hpp>
#include <sessile/store.hpp>
#include <sessile/time.hpp>
