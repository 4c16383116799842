// The first process of a User-Mode Linux: loads the modules that ESP needs, runs a program, says
// how it ended, and switches the machine off. The kernel hands over what is on its command line:
//   REEVE_MODULES  the folder with the modules
//   REEVE_PROGRAM  what to run
//   REEVE_WORD     what to say when it has ended, with its exit status behind it
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>

namespace {

// xfrm_user and ESP, the ciphers of the tests, Ethernet between namespaces. What one needs of
// another is tried again until nothing more loads.
constexpr const char* kModules[] = {"xfrm_algo",    "xfrm_user",
                                    "esp4",         "veth",
                                    "drbg",         "jitterentropy_rng",
                                    "cmac",         "hmac",
                                    "sha1_generic", "sha256_generic",
                                    "libsha256",    "sha512_generic",
                                    "sha3_generic", "crypto_null",
                                    "authenc",      "authencesn",
                                    "echainiv",     "seqiv",
                                    "cbc",          "ctr",
                                    "ecb",          "ghash-generic",
                                    "gf128mul",     "gcm",
                                    "aes_generic",  "libaes",
                                    "geniv"};

void LoadModules(const std::string& folder) {
  std::map<std::string, std::string> left;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, ignored)) {
    for (const char* name : kModules) {
      if (entry.path().stem() == name) left[name] = entry.path();
    }
  }
  for (bool progress = true; progress;) {
    progress = false;
    for (auto module = left.begin(); module != left.end();) {
      const int fd = open(module->second.c_str(), O_RDONLY | O_CLOEXEC);
      const bool loaded = fd >= 0 && (syscall(SYS_finit_module, fd, "", 0) == 0 || errno == EEXIST);
      close(fd);
      progress = progress || loaded;
      module = loaded ? left.erase(module) : std::next(module);
    }
  }
  for (const auto& module : left) std::printf("not loaded: %s\n", module.first.c_str());
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int Run(const std::string& program) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("TEST_TMPDIR", "/mnt", 1);
    setenv("GTEST_COLOR", "no", 1);
    execl(program.c_str(), program.c_str(), nullptr);
    _exit(127);
  }
  // And whoever else lost its parent.
  for (int status;;) {
    const pid_t ended = waitpid(-1, &status, 0);
    if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (ended < 0 && errno != EINTR) return 126;
  }
}

}  // namespace

int main() {
  if (getpid() != 1) return 1;
  const bool mounted = mount("proc", "/proc", "proc", 0, nullptr) == 0 &&
                       mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0 &&
                       mount("tmpfs", "/run", "tmpfs", 0, nullptr) == 0 &&
                       mount("tmpfs", "/mnt", "tmpfs", 0, nullptr) == 0;
  if (!mounted) std::printf("mount: %s\n", std::strerror(errno));
  LoadModules(Variable("REEVE_MODULES"));
  const int status = Run(Variable("REEVE_PROGRAM"));
  std::printf("%s %d\n", Variable("REEVE_WORD").c_str(), status);
  std::fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
  return 1;
}
