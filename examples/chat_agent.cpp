// A chat agent that remembers across sessions.
//
//   chat_agent STORE_URL MEMORY_FILE SESSION_ID < what the user says
//
// A line `remember: …` becomes a fact in the memory, every other line is answered with what is known. Each
// run may be another session; the memory is the same. Old sessions are pruned in the background.
#include <sessile/sessile.hpp>

#include <boost/asio.hpp>

#include <iostream>
#include <string>

using namespace sessile;

namespace {

constexpr std::string_view kRemember = "remember: ";

/// Stands in for a language model: answers from the newest fact that shares a word with the question.
std::string answer(const std::string& question, const std::vector<MemoryItem>& known) {
  for (const MemoryItem& item : known) {
    for (std::size_t begin = 0; begin < question.size();) {
      const std::size_t end = std::min(question.find_first_of(" ?", begin), question.size());
      const std::string word = question.substr(begin, end - begin);
      if (word.size() > 3 && item.note.content.find(word) != std::string::npos) return item.note.content;
      begin = end + 1;
    }
  }
  return "I do not know.";
}

asio::awaitable<std::string> reply(MemoryLog& memory, const std::string& line, const SessionId& session) {
  if (line.starts_with(kRemember)) {
    MemoryNote note(MemoryKind::fact, line.substr(kRemember.size()));
    note.set_source(session.str());
    const MemoryItem item = (co_await memory.add(std::move(note))).value();
    co_return "Noted as " + std::to_string(item.id) + ".";
  }
  co_return answer(line, (co_await memory.list()).value());
}

asio::awaitable<void> chat(StorePtr store, std::filesystem::path memory_file, SessionId id) {
  MemoryLog memory = (co_await MemoryLog::open(std::move(memory_file))).value();
  BackgroundPruner pruner(store, BackgroundPruneOptions().policy(RetentionPolicy().max_sessions(50)));

  const SessionPtr session = (co_await get_or_create(store, "visitor", id)).value();
  std::cout << "agent: " << exchange_count(*session) << " exchanges so far\n";
  for (std::string line; std::getline(std::cin, line);) {
    (co_await add_message(store, id, "user", json::value(line))).value();
    const std::string text = co_await reply(memory, line, id);
    (co_await add_response(store, id, json::value(text))).value();
    std::cout << "agent: " << text << '\n';
  }
  pruner.notify();

  (co_await pruner.drain()).value();
  (co_await memory.close()).value();
  (co_await store->close()).value();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: chat_agent STORE_URL MEMORY_FILE SESSION_ID\n";
    return 2;
  }
  try {
    asio::io_context context;
    asio::co_spawn(context, chat(open_store(argv[1]).value(), argv[2], argv[3]),
                   [](std::exception_ptr thrown) {
                     if (thrown) std::rethrow_exception(thrown);
                   });
    context.run();
  } catch (const SystemError& failure) {
    std::cerr << "chat_agent: " << failure.what() << '\n';
    return 1;
  }
  return 0;
}
