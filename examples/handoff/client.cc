// Asks a server by Kerberos: handoff_client --krb5 HOST:PORT --service documents@localhost
// read /finance/q3. Without a command, each line of standard input is one. Prints the answers. The
// ticket is the user's, of kinit(1). For TLS there is document_client of ../document_server.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/krb5_initiator.h"
#include "reeve/engine/text.h"
#include "reeve/examples/document_server/lines.h"
#include "reeve/examples/document_server/sockets.h"
#include "reeve/examples/document_server/stream.h"
#include "reeve/examples/handoff/frames.h"
#include "reeve/examples/handoff/messages.h"

namespace handoff {
namespace {

// Exit status.
constexpr int kAllowed = 0;
constexpr int kRefused = 1;  // At least one command was.
constexpr int kBadCall = 2;
constexpr int kFailed = 3;

int Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  return kFailed;
}

// Proves who the user is, and that the server is the one that is meant.
absl::StatusOr<std::unique_ptr<reeve::ContextSession>> SignIn(
    const reeve::Krb5Initiator::Options& options, document_server::Stream* stream) {
  absl::StatusOr<std::unique_ptr<reeve::Krb5Initiator>> initiator =
      reeve::Krb5Initiator::Create(options);
  if (!initiator.ok()) return initiator.status();
  std::string token;
  for (;;) {
    absl::StatusOr<reeve::Krb5Initiator::Progress> progress = (*initiator)->Step(token);
    if (!progress.ok()) return progress.status();
    if (!progress->token.empty()) SendFrame(stream, progress->token);
    if (progress->done) return (*initiator)->TakeSession();
    if (!ReceiveFrame(stream, &token)) return absl::UnavailableError("the server does not take us");
  }
}

// Sends one command and prints the answer.
int Ask(document_server::Stream* stream, document_server::LineReader* reader,
        const std::string& command) {
  std::string answer;
  SendLine(stream, command);
  if (reader->Next(&answer) != document_server::LineReader::Result::kLine) {
    const std::string why = stream->failure();
    return Fail("the server ended the connection" + (why.empty() ? "" : ": " + why));
  }
  std::printf("%s\n", reeve::Printable(answer, document_server::kMaxLineBytes).c_str());
  return answer.rfind("refused", 0) == 0 ? kRefused : kAllowed;
}

int Converse(document_server::Stream* stream, const std::vector<std::string>& words) {
  document_server::LineReader reader(stream);
  std::string command;
  for (const std::string& word : words) command += (command.empty() ? "" : " ") + word;
  if (!words.empty()) return Ask(stream, &reader, command);
  int worst = kAllowed;
  for (std::string line; worst != kFailed && std::getline(std::cin, line);) {
    worst = std::max(worst, Ask(stream, &reader, line));
  }
  return worst;
}

int Run(const std::string& server, const reeve::Krb5Initiator::Options& options,
        const std::vector<std::string>& words) {
  std::signal(SIGPIPE, SIG_IGN);
  std::string error;
  const int fd = document_server::ConnectTcp(server, &error);
  if (fd < 0) return Fail(error);
  document_server::SocketStream plain(fd);
  const absl::StatusOr<std::unique_ptr<reeve::ContextSession>> session = SignIn(options, &plain);
  int status;
  if (session.ok()) {
    MessageStream stream(
        &plain, [&](std::string_view text) { return (*session)->Wrap(text, /*encrypt=*/true); },
        [&](std::string_view wrapped) { return (*session)->Unwrap(wrapped); });
    status = Converse(&stream, words);
  } else {
    status = Fail("not signed in: " + Describe(session.status()));
  }
  close(fd);
  return status;
}

}  // namespace
}  // namespace handoff

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  CLI::App app("Asks a server by Kerberos.");
  std::string server;
  reeve::Krb5Initiator::Options options;
  std::vector<std::string> words;
  app.add_option("--krb5", server, "HOST:PORT")->required();
  app.add_option("--service", options.target, "who it is: documents@localhost")->required();
  app.add_option("--ccache", options.ccache, "where the ticket is; else as kinit(1) has it");
  app.add_option("command", words, "read PATH | write PATH TEXT | delete PATH");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? handoff::kAllowed : handoff::kBadCall;
  }
  return handoff::Run(server, options, words);
}
