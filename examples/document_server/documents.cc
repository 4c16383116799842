#include "reeve/examples/document_server/documents.h"

namespace document_server {
namespace {

// Takes the first word off *line, and the space behind it.
std::string_view TakeWord(std::string_view* line) {
  const std::string_view word = line->substr(0, line->find(' '));
  line->remove_prefix(word.size() < line->size() ? word.size() + 1 : word.size());
  return word;
}

}  // namespace

Command ParseCommand(std::string_view line) {
  Command command;
  command.verb = TakeWord(&line);
  command.path = TakeWord(&line);
  command.text = line;
  if (command.verb != "read" && command.verb != "write" && command.verb != "delete") {
    command.defect = "the verb is none of read, write, delete";
  } else if (command.verb != "write" && !command.text.empty()) {
    command.defect = "only write takes a text";
  }
  return command;
}

Documents::Documents()
    : texts_({{"/public/welcome", "Welcome to the archive."},
              {"/finance/ledger", "1 Jan: opening balance 100."},
              {"/finance/q3", "Revenue rose by a fifth."},
              {"/finance/report", "A good year."}}) {}

std::string Documents::Do(const Command& command) {
  reeve::MutexLock lock(mutex_);
  if (command.verb == "write") {
    texts_[std::string(command.path)] = std::string(command.text);
    return "ok";
  }
  const auto found = texts_.find(command.path);
  if (found == texts_.end()) return "missing";
  if (command.verb == "read") return "ok " + found->second;
  texts_.erase(found);
  return "ok";
}

}  // namespace document_server
