// A daemon that greets each session once, shows a digest now and then, and remembers its state across restarts.
//
//   example_daemon DIRECTORY SESSION…    serves one turn of each session named, then goes to sleep
#include <sessile/daemon_state.hpp>
#include <sessile/documents.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace asio = boost::asio;

asio::awaitable<void> serve_turn(sessile::DaemonState state, std::string session) {
  const auto turn = (co_await state.consume_first_turn(session)).value();
  std::cout << session << (turn.first ? ": welcome\n" : ": go on\n");
  if (turn.not_saved) std::cerr << turn.not_saved->message() << '\n';
}

asio::awaitable<void> run_daemon(std::string directory, std::vector<std::string> sessions) {
  const auto documents = sessile::open_documents(directory).value();
  const sessile::DaemonState state(documents, "daemon", "state");

  const auto found = (co_await state.load()).value();
  if (!found.quarantined.empty()) std::cout << "malformed state put aside: " << found.quarantined << '\n';
  std::cout << (found.fields.daemon_started_at() ? "started again\n" : "started for the first time\n");

  auto woken = co_await state.update([](sessile::DaemonFields& fields) {
    const auto now = sessile::system_clock()->now();
    fields.fsm_state(sessile::FsmState::wake).daemon_started_at(now);
  });
  woken.value();

  for (const std::string& session : sessions) {
    (co_await state.mark_session_opened(session)).value();
    co_await serve_turn(state, session);
    co_await serve_turn(state, session);
  }

  if (const auto digest = (co_await state.get_pending_digest()).value()) {
    std::cout << "digest: " << std::string(digest->as_string()) << '\n';
  }
  const auto count = std::to_string(sessions.size());
  auto asleep = co_await state.update([count](sessile::DaemonFields& fields) {
    fields.fsm_state(sessile::FsmState::sleep).pending_digest(count + " sessions were served");
  });
  std::cout << "state: " << name(asleep.value().fsm_state().value()) << '\n';
}

int main(int count, char** words) {
  if (count < 2) {
    std::cerr << "usage: example_daemon DIRECTORY SESSION...\n";
    return 2;
  }
  asio::io_context context;
  int status = 0;
  asio::co_spawn(context, run_daemon(words[1], std::vector<std::string>(words + 2, words + count)),
                 [&status](std::exception_ptr thrown) {
                   try {
                     if (thrown) std::rethrow_exception(thrown);
                   } catch (const std::exception& failure) {
                     std::cerr << failure.what() << '\n';
                     status = 1;
                   }
                 });
  context.run();
  return status;
}
