#include <sessile/sessile.hpp>

#include <boost/asio.hpp>
#include <iostream>

using namespace sessile;

asio::awaitable<void> one_turn(StorePtr store) {
  const SessionPtr session = (co_await get_or_create(store, "ada", "trip-to-oslo")).value();
  (co_await store->append(session->id, Message("user", "Is there a night train?"))).value();
  (co_await store->append(session->id, Message("assistant", "Yes, at 22:50 from Stockholm."))).value();
  for (const SessionSummary& s : (co_await store->list()).value().items) {
    std::cout << s.id.str() << ": " << s.title << ", " << s.message_count << " messages\n";
  }
}

int main(int argc, char** argv) {
  asio::io_context context;
  const StorePtr store = open_store(argc > 1 ? argv[1] : "jsondir:sessions").value();
  asio::co_spawn(context, one_turn(store), [](std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
  });
  context.run();
}
