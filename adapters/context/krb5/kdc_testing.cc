#include "reeve/adapters/context/krb5/kdc_testing.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace reeve {
namespace krb5_testing {
namespace {

constexpr int kStartSeconds = 60;

// Ends the process with a message if `ok` is false.
void Require(bool ok, const std::string& what) {
  if (ok) return;
  std::fprintf(stderr, "krb5_testing: %s: %s\n", what.c_str(), std::strerror(errno));
  _exit(99);
}

// Replaces this process by a program, with `input` as standard input and `log` for what it says.
[[noreturn]] void Execute(const std::vector<std::string>& command, int input,
                          const std::string& log) {
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  Require(output >= 0 && input >= 0, log);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  setenv("LC_ALL", "C", 1);
  execvp(arguments[0], arguments.data());
  Require(false, arguments[0]);
  _exit(99);
}

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

std::string WhyNoKdc() {
  for (const auto& [program, package] :
       {std::pair("krb5kdc", "krb5-kdc"), std::pair("kadmin.local", "krb5-admin-server"),
        std::pair("kinit", "krb5-user"), std::pair("openssl", "openssl")}) {
    if (std::string why = peer_testing::WhyNoProgram(program, package); !why.empty()) return why;
  }
  return "";
}

const std::string& KdcScript() {
  static const std::string* const script = [] {
    // Tests and `bazel run` begin in the folder of their data.
    auto* const text = new std::string(ReadFile("adapters/context/krb5/kdc.sh"));
    Require(!text->empty(), "adapters/context/krb5/kdc.sh");
    return text;
  }();
  return *script;
}

Kdc::Kdc() {
  std::ofstream(files_ / "kdc.sh") << KdcScript();
  std::fflush(nullptr);
  pid_ = fork();
  Require(pid_ >= 0, "fork");
  if (pid_ == 0) {
    unsetenv("REEVE_KDC_PARENT");
    Execute({"bash", files_ / "kdc.sh", files_.path()}, open("/dev/null", O_RDONLY),
            files_ / "kdc.sh.log");
  }
  const bool up = peer_testing::Eventually(
      [this] {
        return access((files_ / "env").c_str(), R_OK) == 0 || waitpid(pid_, nullptr, WNOHANG) != 0;
      },
      kStartSeconds);
  if (!up || access((files_ / "env").c_str(), R_OK) != 0) {
    std::fprintf(stderr, "krb5_testing: the KDC does not start\n");
    for (const char* log : {"kdc.sh.log", "setup.log", "openssl.log", "kdc.out", "kdc.log"}) {
      std::fprintf(stderr, "---- %s\n%s", log, ReadFile(files_ / log).c_str());
    }
    _exit(99);
  }
  setenv("KRB5_CONFIG", (files_ / "krb5.conf").c_str(), 1);
  setenv("KRB5_KTNAME", ("FILE:" + (files_ / "service.keytab")).c_str(), 1);
  setenv("KRB5CCNAME", ("FILE:" + (files_ / "ccache")).c_str(), 1);
  setenv("KRB5RCACHENAME", ("file2:" + (files_ / "rcache")).c_str(), 1);
}

Kdc::~Kdc() { Stop(); }

void Kdc::Stop() {
  if (pid_ < 0) return;
  const pid_t kdc = std::atoi(ReadFile(files_ / "kdc.pid").c_str());
  // It is the script's child, so that the number is its own until the script has reaped it.
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  // The kernel ends it with the script, which may take a moment.
  const bool ended = peer_testing::Eventually([kdc] {
    return kill(kdc, 0) != 0 ||
           ReadFile("/proc/" + std::to_string(kdc) + "/stat").find(") Z") != std::string::npos;
  });
  Require(ended, "the KDC does not end");
}

bool Kdc::Run(const std::vector<std::string>& command, const std::string& input) const {
  const std::string log = files_ / "kinit.log";
  std::ofstream(log).close();
  int pipe[2];
  Require(pipe2(pipe, O_CLOEXEC) == 0, "pipe2");
  std::fflush(nullptr);
  const pid_t child = fork();
  Require(child >= 0, "fork");
  if (child == 0) Execute(command, pipe[0], log);
  // Less than what a pipe takes at once, and nobody's end is closed yet.
  Require(write(pipe[1], input.data(), input.size()) == static_cast<ssize_t>(input.size()), log);
  close(pipe[0]);
  close(pipe[1]);
  int status = 0;
  Require(waitpid(child, &status, 0) == child, "waitpid");
  if (status == 0) return true;
  std::fprintf(stderr, "krb5_testing: %s\n", ReadFile(log).c_str());
  return false;
}

bool Kdc::Kinit(const std::string& user, const std::string& password,
                const std::string& ccache) const {
  return Run({"kinit", "-c", ccache, user}, password + "\n");
}

bool Kdc::KinitFast(const std::string& user, const std::string& password, const std::string& armor,
                    const std::string& ccache) const {
  return Run({"kinit", "-T", armor, "-c", ccache, user}, password + "\n");
}

bool Kdc::KinitCertificate(const std::string& user, const std::string& ccache) const {
  const std::string identity =
      "X509_user_identity=FILE:" + (files_ / (user + ".pem")) + "," + (files_ / (user + "key.pem"));
  return Run({"kinit", "-X", identity, "-c", ccache, user}, "");
}

bool Kdc::KinitKeytab(const std::string& principal, const std::string& keytab,
                      const std::string& ccache) const {
  return Run({"kinit", "-k", "-t", keytab, "-c", ccache, principal}, "");
}

bool Kdc::KinitAnonymous(const std::string& ccache) const {
  return Run({"kinit", "-n", "-c", ccache}, "");
}

absl::StatusOr<EstablishedContext> Handshake(Krb5Initiator* initiator, Krb5Acceptor* acceptor,
                                             absl::Time now) {
  std::string token;
  std::optional<EstablishedContext> context;
  bool done = false;
  for (int i = 0; i < 2 * kMaxKrb5Rounds; ++i) {
    if (!done) {
      absl::StatusOr<Krb5Initiator::Progress> progress = initiator->Step(token);
      if (!progress.ok()) return progress.status();
      done = progress->done;
      token = progress->token;
    }
    if (!context.has_value()) {
      absl::StatusOr<Krb5Acceptor::Progress> progress = acceptor->Step(token, now);
      if (!progress.ok()) return progress.status();
      context = std::move(progress->context);
      token = progress->token;
    }
    if (done && context.has_value()) return *std::move(context);
  }
  return absl::InternalError("the handshake does not end");
}

}  // namespace krb5_testing
}  // namespace reeve
