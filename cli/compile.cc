// `reeve compile`: a policy set as one file, which loads without reading YAML.
#include "reeve/policy/compile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/trust.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"
#include "reeve/policy/snapshot_file.h"

namespace reeve {
namespace {

struct Options {
  std::string policy;
  std::vector<std::string> entities;
  std::string output;
  std::string key;  // Empty: not signed.
  Trust trust;
  Format format = Format::kText;
};

int Fail(const std::string& path, const std::string& message, int status) {
  // Messages about lines begin with the file.
  std::fprintf(stderr, "%s%s\n",
               absl::StartsWith(message, Printable(path)) ? "" : (Printable(path) + ": ").c_str(),
               Printable(message, 1000).c_str());
  return status;
}

// Why the file must not be replaced; empty if it may be, or is not there.
std::string ObjectionTo(const std::string& path) {
  // Not blocking, so that a pipe is refused and not waited for.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    return errno == ENOENT ? "" : absl::StrCat("cannot be looked at: ", std::strerror(errno));
  }
  const absl::Cleanup close_fd = [fd] { close(fd); };
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return "is not a regular file";
  char begin[8] = {};
  const ssize_t size = read(fd, begin, sizeof begin);
  if (size == sizeof begin && IsSnapshotFile({begin, sizeof begin})) return "";
  return "is there, and is no compiled set; name another file, or remove this one";
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// Writes the file so that whoever reads it sees the whole of it or what was there, also after a
// crash. Returns what went wrong; empty if nothing did.
std::string Write(const std::string& path, std::string_view bytes) {
  std::error_code error;
  std::filesystem::path target = std::filesystem::canonical(path, error);
  if (error) target = std::filesystem::absolute(path);
  const std::string folder = target.parent_path().string();
  std::string temporary = absl::StrCat(folder, "/.", target.filename().string(), ".XXXXXX");
  const auto failed = [] { return absl::StrCat("cannot be written: ", std::strerror(errno)); };
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return failed();
  const absl::Cleanup close_fd = [fd] { close(fd); };
  absl::Cleanup remove = [&temporary] { unlink(temporary.c_str()); };
  const mode_t mask = umask(0);
  umask(mask);
  if (!WriteAll(fd, bytes) || fchmod(fd, 0644 & ~mask) != 0 || fsync(fd) != 0) return failed();
  if (std::rename(temporary.c_str(), target.c_str()) != 0) return failed();
  std::move(remove).Cancel();
  // So that the new name is there after a crash.
  const int parent = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent >= 0) {
    fsync(parent);
    close(parent);
  }
  return "";
}

int Compile(Options& options) {
  if (!options.trust.Read()) return kBadCall;
  std::unique_ptr<HostKey> key;
  if (!options.key.empty()) {
    // The command is gone at once: a key that cannot be locked may be used all the same.
    auto loaded = HostKey::Load(options.key, SecretMemory::Lock::kIfAllowed);
    if (!loaded.ok()) {
      return Fail(options.key, std::string(loaded.status().message()), kBadCall);
    }
    key = *std::move(loaded);
  }
  if (const std::string objection = ObjectionTo(options.output); !objection.empty()) {
    return Fail(options.output, objection, kBadCall);
  }
  const CompileResult compiled =
      CompilePolicy(options.policy, options.entities, key == nullptr ? nullptr : key->signing_key(),
                    options.trust.limits());
  for (const Issue& issue : compiled.loaded.issues) {
    std::fprintf(stderr, "%s\n%s", ToString(issue).c_str(), Excerpt(issue).c_str());
  }
  if (!compiled.loaded.ok()) {
    std::fputs("nothing is written\n", stderr);
    return kBadCall;
  }
  if (const std::string wrong = Write(options.output, compiled.bytes); !wrong.empty()) {
    return Fail(options.output, wrong, kFailure);
  }
  const Snapshot& snapshot = *compiled.loaded.snapshot;
  const std::string signer = key == nullptr ? "" : key->public_key().id();
  if (options.format == Format::kJson) {
    const nlohmann::ordered_json json = {{"file", options.output},
                                         {"bytes", compiled.bytes.size()},
                                         {"rules", snapshot.rule_count()},
                                         {"entities", snapshot.entity_count()},
                                         {"policy", std::string(snapshot.digest())},
                                         {"signed_by", signer}};
    std::puts(JsonText(json).c_str());
  } else {
    std::printf("%s: %zu rule%s, %zu entities, %s\n%s\n", Printable(options.output).c_str(),
                snapshot.rule_count(), snapshot.rule_count() == 1 ? "" : "s",
                snapshot.entity_count(),
                signer.empty() ? "not signed" : absl::StrCat("signed by key ", signer).c_str(),
                std::string(snapshot.digest()).c_str());
  }
  return kYes;
}

}  // namespace

void AddCompile(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "compile",
      "Make one file of a policy set, which loads without reading YAML, wherever a POLICY is "
      "named. "
      "The same files give the same bytes.\n"
      "Exit status: 0 done, 2 the set does not load, or the call is wrong, 3 the file cannot be "
      "written.");
  const auto options = std::make_shared<Options>();
  command->add_option("POLICY", options->policy, "a policy file, or a directory of them")
      ->required();
  command
      ->add_option("-o,--output", options->output,
                   "the file to write; one that is there is replaced only if it is a compiled set")
      ->required()
      ->option_text("FILE REQUIRED");
  command
      ->add_option("--entities", options->entities,
                   "a file of entities to put into it; may be repeated")
      ->allow_extra_args(false)
      ->option_text("FILE");
  command->add_option("--sign", options->key, "sign it with this key, made by `reeve keygen host`")
      ->option_text("KEY");
  options->trust.AddOption(command);
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  reeve compile policy/ -o policy.reeve\n"
      "  reeve keygen host release.key --name release\n"
      "  reeve compile policy/ -o policy.reeve --sign release.key\n"
      "  reeve check policy.reeve --trust release.key.pub < request.json");
  command->callback([options, status] { *status = Compile(*options); });
}

}  // namespace reeve
