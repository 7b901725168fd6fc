#include "linearizability/history.hpp"

#include <ctime>
#include <map>
#include <sstream>
#include <stdexcept>

namespace sessile::linearizability {
namespace {

constexpr const char* kKinds[] = {"save", "load", "append", "update", "remove"};
constexpr const char* kOutcomes[] = {"ok", "not_found", "conflict", "nothing", "unknown"};

std::string check_text(const Operation& operation) {
  if (operation.expect == Expect::absent) return " if_absent";
  if (operation.expect == Expect::exactly) return " if_revision " + std::to_string(operation.expected);
  return {};
}

std::string result_text(const Operation& operation) {
  std::string text = kOutcomes[static_cast<int>(operation.outcome)];
  if (operation.outcome == Outcome::conflict) {
    text += operation.actual ? ", stored: " + std::to_string(*operation.actual) : ", nothing is stored";
  }
  if (operation.outcome != Outcome::ok) return text;
  if (operation.kind != Kind::remove) text += " revision " + std::to_string(operation.revision);
  if (operation.replayed) text += " replayed";
  if (operation.kind == Kind::load || operation.kind == Kind::update) text += " " + operation.content.text();
  return text;
}

Operation read_invocation(std::istringstream& line) {
  Operation operation;
  int kind = 0, expect = 0;
  line >> operation.process >> operation.client >> operation.session >> kind >> expect >>
      operation.expected >> operation.tag >> operation.key >> operation.invoked;
  operation.kind = static_cast<Kind>(kind);
  operation.expect = static_cast<Expect>(expect);
  return operation;
}

void read_return(std::istringstream& line, Operation& operation) {
  int outcome = 0, has_actual = 0;
  Revision actual = 0;
  std::size_t count = 0;
  line >> outcome >> operation.revision >> operation.replayed >> has_actual >> actual >> operation.returned >>
      operation.content.base >> count;
  for (int tag = 0; operation.content.messages.size() < count && line >> tag;)
    operation.content.messages.push_back(tag);
  operation.outcome = static_cast<Outcome>(outcome);
  if (has_actual) operation.actual = actual;
  if (operation.outcome == Outcome::unknown) operation.returned = kNever;
}

}  // namespace

std::string Content::text() const {
  std::string text = "{" + std::to_string(base) + ":";
  for (const int message : messages)
    text += " " + std::to_string(message);
  return text + "}";
}

std::string Operation::text() const {
  std::string text = std::string(kKinds[static_cast<int>(kind)]) + check_text(*this);
  if (kind == Kind::save || kind == Kind::append || kind == Kind::update) text += " #" + std::to_string(tag);
  if (key != 0) text += " key " + std::to_string(key);
  return text + " -> " + result_text(*this);
}

Content after_save(int tag) {
  Content content;
  content.base = tag;
  content.messages = {tag};
  return content;
}

Content after_update(Content content, int tag) {
  // Some add, which a log stores as a patch; some replace, which it stores as a snapshot.
  if (tag % 2 == 1) content.messages.clear();
  content.base = tag;
  content.messages.push_back(tag);
  return content;
}

Content after_append(Content content, int tag) {
  content.messages.push_back(tag);
  content.messages.push_back(-tag);
  return content;
}

std::string invocation_line(int number, const Operation& operation) {
  std::ostringstream line;
  line << "call " << number << ' ' << operation.process << ' ' << operation.client << ' ' << operation.session
       << ' ' << static_cast<int>(operation.kind) << ' ' << static_cast<int>(operation.expect) << ' '
       << operation.expected << ' ' << operation.tag << ' ' << operation.key << ' ' << operation.invoked
       << " .\n";
  return line.str();
}

std::string return_line(int number, const Operation& operation) {
  std::ostringstream line;
  line << "back " << number << ' ' << static_cast<int>(operation.outcome) << ' ' << operation.revision << ' '
       << operation.replayed << ' ' << operation.actual.has_value() << ' ' << operation.actual.value_or(0)
       << ' ' << operation.returned << ' ' << operation.content.base << ' '
       << operation.content.messages.size();
  for (const int message : operation.content.messages)
    line << ' ' << message;
  line << " .\n";
  return line.str();
}

History read_journal(std::string_view text) {
  std::map<int, Operation> operations;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("bad ")) throw std::runtime_error(line.substr(4));
    if (!line.ends_with(" .")) continue;
    std::istringstream words(line);
    std::string what;
    int number = 0;
    words >> what >> number;
    if (what == "call") {
      operations[number] = read_invocation(words);
    } else if (what == "back" && operations.contains(number)) {
      read_return(words, operations[number]);
    } else {
      throw std::runtime_error("not a line of a journal: " + line);
    }
    if (!words) throw std::runtime_error("not a line of a journal: " + line);
  }
  History history;
  for (auto& [number, operation] : operations)
    history.push_back(std::move(operation));
  return history;
}

std::int64_t monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

}  // namespace sessile::linearizability
