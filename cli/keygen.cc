// `reeve keygen`: the keys that sealed contexts are closed and opened with.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/command.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/cli/output.h"
#include "reeve/engine/clock.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

// The command is gone at once: keys that cannot be locked may be used all the same.
constexpr auto kLock = SecretMemory::Lock::kIfAllowed;

struct Options {
  std::string path;
  std::string name;   // Of a host.
  std::string after;  // "10m"
  std::string id;     // Of the key to drop.
  bool force = false;
  Format format = Format::kText;
};

int Fail(const std::string& path, const absl::Status& status) {
  const std::string message(status.message());
  // Messages about lines begin with the file.
  std::fprintf(stderr, "%s%s\n",
               absl::StartsWith(message, Printable(path)) ? "" : (Printable(path) + ": ").c_str(),
               Printable(message, 1000).c_str());
  return ContextErrorOf(status) == ContextError::kInternal || absl::IsInternal(status) ? kFailure
                                                                                       : kBadCall;
}

int FailToCreate(const std::string& path, const absl::Status& status) {
  if (!absl::IsAlreadyExists(status)) return Fail(path, status);
  std::fprintf(stderr,
               "%s: there is such a file; name another, or replace it with --force, and what its "
               "keys sealed opens no more\n",
               Printable(path).c_str());
  return kBadCall;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

ExistingFile Existing(const Options& options) {
  return options.force ? ExistingFile::kReplace : ExistingFile::kKeep;
}

int CreateRing(const Options& options) {
  const absl::StatusOr<std::unique_ptr<KeyRing>> ring =
      KeyRing::Generate(Clock::System().Now(), kLock);
  if (!ring.ok()) return Fail(options.path, ring.status());
  const absl::Status saved = (*ring)->Save(options.path, Existing(options));
  if (!saved.ok()) return FailToCreate(options.path, saved);
  std::printf("%s: key %s\n", Printable(options.path).c_str(),
              (*ring)->Keys(Clock::System().Now())[0].id.c_str());
  return kYes;
}

int CreateHost(const Options& options) {
  const absl::StatusOr<std::unique_ptr<HostKey>> key =
      HostKey::Generate(options.name, Clock::System().Now(), kLock);
  if (!key.ok()) return Fail(options.path, key.status());
  const std::string public_path = options.path + ".pub";
  // Both or none.
  if (!options.force && access(public_path.c_str(), F_OK) == 0) {
    return FailToCreate(public_path, absl::AlreadyExistsError(""));
  }
  if (const absl::Status saved = (*key)->Save(options.path, Existing(options)); !saved.ok()) {
    return FailToCreate(options.path, saved);
  }
  const absl::Status saved = (*key)->public_key().Save(public_path, Existing(options));
  if (!saved.ok()) return FailToCreate(public_path, saved);
  std::printf("%s: key %s of %s; give %s to the hosts that are to know it\n",
              Printable(options.path).c_str(), (*key)->public_key().id().c_str(),
              options.name.c_str(), Printable(public_path).c_str());
  return kYes;
}

int Rotate(const Options& options) {
  const absl::Time now = Clock::System().Now();
  absl::Duration after;
  if (!absl::ParseDuration(options.after, &after) || after < absl::ZeroDuration() ||
      after > absl::Hours(24 * 366)) {
    std::fprintf(stderr, "`%s` is no time that a key could wait; write one such as 10m or 2h\n",
                 Printable(options.after).c_str());
    return kBadCall;
  }
  const absl::StatusOr<std::unique_ptr<KeyRing>> ring = KeyRing::Load(options.path, kLock);
  if (!ring.ok()) return Fail(options.path, ring.status());
  const absl::StatusOr<std::string> id = (*ring)->Add(now, now + after);
  if (!id.ok()) return Fail(options.path, id.status());
  const absl::Status saved = (*ring)->Save(options.path, ExistingFile::kReplace);
  if (!saved.ok()) return Fail(options.path, saved);
  std::printf(
      "%s: key %s, which seals from %s on; the others still open. Drop them, `reeve keygen drop`, "
      "when it has sealed for the longest lifetime of a context\n",
      Printable(options.path).c_str(), id->c_str(), TimeText(now + after).c_str());
  return kYes;
}

int Drop(const Options& options) {
  const absl::StatusOr<std::unique_ptr<KeyRing>> ring = KeyRing::Load(options.path, kLock);
  if (!ring.ok()) return Fail(options.path, ring.status());
  absl::Status status = (*ring)->Drop(options.id);
  if (status.ok()) status = (*ring)->Save(options.path, ExistingFile::kReplace);
  if (absl::IsNotFound(status)) {
    std::fprintf(stderr, "%s: there is no key `%s`; `reeve keygen list` shows those that are\n",
                 Printable(options.path).c_str(), Printable(options.id).c_str());
    return kNo;
  }
  return status.ok() ? kYes : Fail(options.path, status);
}

int ListRing(const KeyRing& ring, Format format) {
  const absl::Time now = Clock::System().Now();
  Table table({"KEY", "CREATED", "SEALS FROM", "STATE"}, 4);
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const KeyRing::KeyInfo& key : ring.Keys(now)) {
    const char* const state = key.seals ? "seals" : key.seals_from > now ? "waits" : "opens";
    table.AddRow({key.id, TimeText(key.created), TimeText(key.seals_from), state});
    json.push_back({{"kind", "ring"},
                    {"key", key.id},
                    {"created", TimeText(key.created)},
                    {"seals_from", TimeText(key.seals_from)},
                    {"state", state}});
  }
  std::fputs((format == Format::kJson ? JsonText(json) + "\n" : table.ToString(0)).c_str(), stdout);
  return kYes;
}

int ListHost(const HostPublicKey& key, bool is_private, Format format) {
  const nlohmann::ordered_json json =
      nlohmann::ordered_json::array({{{"kind", "host"},
                                      {"key", key.id()},
                                      {"name", key.name},
                                      {"created", TimeText(key.created)},
                                      {"private", is_private}}});
  Table table({"KEY", "CREATED", "NAME", "STATE"}, 4);
  table.AddRow({key.id(), TimeText(key.created), key.name, is_private ? "private" : "public"});
  std::fputs((format == Format::kJson ? JsonText(json) + "\n" : table.ToString(0)).c_str(), stdout);
  return kYes;
}

// Takes the file for what its first line says; the errors are of the kind that it seems to be.
int List(const Options& options) {
  const absl::StatusOr<std::unique_ptr<KeyRing>> ring = KeyRing::Load(options.path, kLock);
  if (ring.ok()) return ListRing(**ring, options.format);
  if (const auto host = HostKey::Load(options.path, kLock); host.ok()) {
    return ListHost((*host)->public_key(), true, options.format);
  }
  if (const auto host = HostPublicKey::Load(options.path); host.ok()) {
    return ListHost(*host, false, options.format);
  }
  return Fail(options.path, ring.status());
}

CLI::App* AddAction(CLI::App* command, const char* name, const char* description,
                    const std::shared_ptr<Options>& options, int (*run)(const Options&),
                    int* status) {
  CLI::App* action = command->add_subcommand(name, description);
  action->add_option("FILE", options->path, "the file of keys")->required();
  action->callback([options, run, status] { *status = run(*options); });
  return action;
}

}  // namespace

void AddKeygen(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "keygen",
      "Make, rotate and show the keys that sealed contexts are closed and opened with. Private "
      "keys "
      "are never shown, and their files have mode 0600.\n"
      "Exit status: 0 done, 1 there is no such key, 2 the call or the file is wrong, 3 the machine "
      "failed.");
  command->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  CLI::App* ring = AddAction(command, "ring",
                             "Make a ring of one key, for services of this machine that share it",
                             options, CreateRing, status);
  ring->add_flag("--force", options->force, "replace a file that is there");
  CLI::App* host =
      AddAction(command, "host", "Make the keys of a host: FILE, and FILE.pub for other hosts",
                options, CreateHost, status);
  host->add_option("--name", options->name, "what others call it: web-1.example.com")->required();
  host->add_flag("--force", options->force, "replace files that are there");
  CLI::App* rotate =
      AddAction(command, "rotate", "Add a key to a ring, which seals instead of the one before",
                options, Rotate, status);
  options->after = "10m";
  rotate
      ->add_option("--after", options->after,
                   "when it begins to seal: time for every program to read the ring again")
      ->option_text("TIME [10m]");
  CLI::App* drop =
      AddAction(command, "drop", "Take a key from a ring: what it sealed opens no more", options,
                Drop, status);
  drop->add_option("KEY", options->id, "its id, as `list` shows it")->required();
  AddFormat(AddAction(command, "list", "Show the keys of a file, without what is secret", options,
                      List, status),
            &options->format);
  command->footer(
      "Examples:\n"
      "  reeve keygen ring /etc/documentd/context.keys\n"
      "  reeve keygen rotate /etc/documentd/context.keys --after 10m\n"
      "  reeve keygen list /etc/documentd/context.keys\n"
      "  reeve keygen host /etc/documentd/host.key --name web-1.example.com");
}

}  // namespace reeve
