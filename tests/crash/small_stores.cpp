#include "small_stores.hpp"

#include "backends/filesystem/store.hpp"
#include "backends/json_directory/factory.hpp"
#include "documents/core.hpp"
#include "logs/log_access.hpp"
#include "subject.hpp"

#include <sessile/documents.hpp>
#include <sessile/store.hpp>

namespace sessile::crash {

namespace {

class Sessions : public SmallStore {
 public:
  void fill(Machine& machine) override {
    const auto store = open(machine);
    for (const std::string id : {"a", "b"}) {
      Session session(id);
      session.set_agent("x").add_message("user", json::value("of " + id));
      runner_.run(store->save(session)).value();
      runner_.run(store->append(SessionId(id), {Message("assistant", json::value("more"))})).value();
    }
  }
  Result<VerifyReport> verify(Machine& machine, bool repair) override {
    const auto store = open(machine);
    return runner_.run(store->verify(VerifyOptions().repair(repair)));
  }
  Result<std::string> content(Machine& machine, const std::string& id) override {
    const auto store = open(machine);
    const auto loaded = runner_.run(store->load(SessionId(id)));
    if (!loaded) return loaded.error();
    std::string all;
    for (const Message& message : (*loaded)->messages)
      all += std::string(message.content.as_string()) + " ";
    return all;
  }
  /// As an agent's, and of all.
  Result<std::string> listing(Machine& machine) override {
    const auto store = open(machine);
    const auto page = runner_.run(store->list(ListQuery().order(Order::id)));
    if (!page) return page.error();
    std::string names = names_in(*page, [](const SessionSummary& summary) { return summary.id; });
    const auto of_agent = runner_.run(store->list_for_agent(AgentId("x"), ListQuery().order(Order::id)));
    if (!of_agent) return of_agent.error();
    return names + names_in(*of_agent, [](const SessionPtr& session) { return session->id; });
  }

 protected:
  Runner runner_;

 private:
  virtual std::shared_ptr<SessionStore> open(Machine& machine) = 0;
  template <class Page, class IdOf>
  static std::string names_in(const Page& page, IdOf id_of) {
    std::string names;
    for (const auto& item : page.items)
      names += id_of(item).str() + " ";
    for (std::size_t i = 0; i < page.unreadable.size(); ++i)
      names += "? ";
    return names;
  }
};

class SmallFilesystem final : public Sessions {
 public:
  std::string name() const override { return "filesystem"; }
  std::string file() const override { return "/place/store/a.json"; }

 private:
  std::shared_ptr<SessionStore> open(Machine& machine) override {
    return std::make_shared<filesystem::FilesystemStore>(machine.files(), "/place/store", LockOptions(),
                                                         OpenOptions().executor(runner_.executor()));
  }
};

class SmallJsonDirectory final : public Sessions {
 public:
  std::string name() const override { return "json_directory"; }
  std::string file() const override { return "/place/store/sessions/a.jsonl"; }

 private:
  std::shared_ptr<SessionStore> open(Machine& machine) override {
    return detail::make_json_directory_store_on(machine.files(), "/place/store", LockOptions(),
                                                OpenOptions().executor(runner_.executor()))
        .value();
  }
};

class SmallDocuments final : public SmallStore {
 public:
  std::string name() const override { return "documents"; }
  std::string file() const override { return "/place/work/a.json"; }
  void fill(Machine& machine) override {
    for (const std::string id : {"a", "b"})
      runner_.run(open(machine).save_json("work", id, {{"is", id}})).value();
  }
  Result<VerifyReport> verify(Machine& machine, bool repair) override {
    return runner_.run(open(machine).verify(VerifyOptions().repair(repair)));
  }
  Result<std::string> content(Machine& machine, const std::string& id) override {
    const auto read = runner_.run(open(machine).read_json("work", id));
    if (!read) return read.error();
    return json::serialize(read->value);
  }
  Result<std::string> listing(Machine& machine) override {
    const auto listed = runner_.run(open(machine).list("work"));
    if (!listed) return listed.error();
    std::string names;
    for (const std::string& name : *listed)
      names += name + " ";
    return names;
  }

 private:
  DocumentStore open(Machine& machine) {
    DocumentStoreOptions options;
    options.executor(runner_.executor());
    return DocumentStore(std::make_shared<detail::DocumentCore>("/place", options, machine.files()));
  }
  Runner runner_;
};

class SmallMemory final : public SmallStore {
 public:
  std::string name() const override { return "memory"; }
  std::string file() const override { return "/place/a.jsonl"; }
  void fill(Machine& machine) override {
    for (const std::string id : {"a", "b"}) {
      auto memory = runner_.run(open(machine, id)).value();
      for (const std::string what : {"one", "two", "three"})
        runner_.run(memory.add(MemoryKind::fact, what)).value();
    }
    runner_.finish();
  }
  Result<VerifyReport> verify(Machine& machine, bool repair) override {
    return runner_.run(
        detail::LogAccess::verify_memory(machine.files(), file(), VerifyOptions().repair(repair), options()));
  }
  Result<std::string> content(Machine& machine, const std::string& id) override {
    std::string all;
    {
      auto memory = runner_.run(open(machine, id));
      if (!memory) return memory.error();
      for (const MemoryItem& item : runner_.run(memory->list()).value())
        all += item.note.content + " ";
    }
    runner_.finish();
    return all;
  }
  Result<std::string> listing(Machine&) override { return std::string(); }

 private:
  Async<MemoryLog> open(Machine& machine, const std::string& id) {
    return detail::LogAccess::open_memory(machine.files(), "/place/" + id + ".jsonl", options());
  }
  LogOptions options() { return LogOptions().executor(runner_.executor()); }
  Runner runner_;
};

class SmallSessionLog final : public SmallStore {
 public:
  std::string name() const override { return "session log"; }
  std::string file() const override { return "/place/a.jsonl"; }
  void fill(Machine& machine) override {
    for (const std::string id : {"a", "b"}) {
      auto log = open(machine, id);
      for (const std::string what : {"one", "two", "three"})
        runner_.run(log.append(Message("user", json::value(what)))).value();
    }
  }
  Result<VerifyReport> verify(Machine& machine, bool repair) override {
    return runner_.run(open(machine, "a").verify(VerifyOptions().repair(repair)));
  }
  Result<std::string> content(Machine& machine, const std::string& id) override {
    const auto loaded = runner_.run(open(machine, id).load());
    if (!loaded) return loaded.error();
    std::string all;
    for (const Message& turn : loaded->turns)
      all += std::string(turn.content.as_string()) + " ";
    return all;
  }
  Result<std::string> listing(Machine&) override { return std::string(); }

 private:
  SessionLog open(Machine& machine, const std::string& id) {
    return detail::LogAccess::session_log(machine.files(), "/place/" + id + ".jsonl", json::object(),
                                          LogOptions().executor(runner_.executor()));
  }
  Runner runner_;
};

}  // namespace

std::vector<std::unique_ptr<SmallStore>> make_small_stores() {
  std::vector<std::unique_ptr<SmallStore>> all;
  all.push_back(std::make_unique<SmallFilesystem>());
  all.push_back(std::make_unique<SmallJsonDirectory>());
  all.push_back(std::make_unique<SmallDocuments>());
  all.push_back(std::make_unique<SmallMemory>());
  all.push_back(std::make_unique<SmallSessionLog>());
  return all;
}

Disk filled(SmallStore& store) {
  Machine machine{Disk()};
  const auto root = machine.files()->open_directory("/").value();
  root->make_directory("place").value();
  root->sync().value();
  store.fill(machine);
  return machine.disk().image_of_current();
}

}  // namespace sessile::crash
