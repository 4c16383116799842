// Asks the document server, as any user:
//   document_client --socket PATH [--uid N --gid N [--groups A,B]] read /finance/q3
// Without a command, each line of standard input is one. Prints the answers.
#include <grp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "reeve/engine/text.h"
#include "reeve/examples/document_server/lines.h"

namespace document_server {
namespace {

// Exit status.
constexpr int kAllowed = 0;
constexpr int kRefused = 1;  // At least one command was.
constexpr int kBadCall = 2;
constexpr int kFailed = 3;

struct Identity {
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::vector<gid_t> groups;
};

// Becomes that user for good: the groups first, for afterwards there is no right to. False with
// errno set if anything was refused; then this is half of one and half of the other.
bool Become(const Identity& identity) {
  return setgroups(identity.groups.size(), identity.groups.data()) == 0 &&
         setresgid(*identity.gid, *identity.gid, *identity.gid) == 0 &&
         setresuid(*identity.uid, *identity.uid, *identity.uid) == 0;
}

// Sends one command and prints the answer.
int Ask(int fd, LineReader* reader, const std::string& command) {
  std::string answer;
  if (!SendLine(fd, command) || reader->Next(&answer) != LineReader::Result::kLine) {
    std::fprintf(stderr, "the server ended the connection\n");
    return kFailed;
  }
  std::printf("%s\n", reeve::Printable(answer, kMaxLineBytes).c_str());
  return answer.rfind("refused", 0) == 0 ? kRefused : kAllowed;
}

int Run(const std::string& path, const Identity& identity, const std::vector<std::string>& words) {
  if (identity.uid.has_value() && !Become(identity)) {
    std::fprintf(stderr, "cannot become uid %u: %s\n", *identity.uid, std::strerror(errno));
    return kFailed;
  }
  std::string error;
  const int fd = Connect(path, &error);
  if (fd < 0) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return kFailed;
  }
  LineReader reader(fd);
  int worst = kAllowed;
  if (!words.empty()) {
    std::string command;
    for (const std::string& word : words) command += (command.empty() ? "" : " ") + word;
    worst = Ask(fd, &reader, command);
  } else {
    for (std::string line; worst != kFailed && std::getline(std::cin, line);) {
      worst = std::max(worst, Ask(fd, &reader, line));
    }
  }
  close(fd);
  return worst;
}

}  // namespace
}  // namespace document_server

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  CLI::App app("Asks the document server.");
  std::string path;
  document_server::Identity identity;
  std::vector<std::string> words;
  app.add_option("--socket", path, "path of the server's socket")->required();
  CLI::Option* const uid = app.add_option("--uid", identity.uid, "become this user; for root");
  CLI::Option* const gid = app.add_option("--gid", identity.gid, "with this group")->needs(uid);
  uid->needs(gid);
  app.add_option("--groups", identity.groups, "and these others")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->needs(uid);
  app.add_option("command", words, "read PATH | write PATH TEXT | delete PATH");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? document_server::kAllowed : document_server::kBadCall;
  }
  return document_server::Run(path, identity, words);
}
