// `reeve context`: what is in a packed security context, for operators.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/command.h"
#include "reeve/adapters/context/context_body.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/adapters/context/seal/host_seal.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/packed_header.h"
#include "reeve/adapters/context/seal/ring_seal.h"
#include "reeve/adapters/context/seal/seal_options.h"
#include "reeve/adapters/context/seal/secret_memory.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/adapters/context/security_context.h"
#include "reeve/adapters/json/json_value.h"
#include "reeve/cli/input.h"
#include "reeve/cli/output.h"
#include "reeve/cli/principal_output.h"
#include "reeve/engine/clock.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

// The command is gone at once: keys that cannot be locked may be used all the same.
constexpr auto kLock = SecretMemory::Lock::kIfAllowed;

struct Options {
  std::string file = "-";
  // Keys.
  std::string ring;
  std::string service;
  std::string host_key;
  std::vector<std::string> hosts;  // Public keys: whom to trust, or the one to seal to.
  // Of `seal`.
  std::string principal;
  std::vector<std::string> groups;
  std::vector<std::string> parents;
  std::vector<std::string> attributes;
  std::string window = "60s";
  std::string lifetime = "1h";
  std::string output = "-";
  bool base64 = false;
  Format format = Format::kText;
};

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// Says what is wrong, and returns the exit status: 1 if a context is refused.
int Fail(const std::string& place, const absl::Status& status) {
  const std::string message(status.message());
  // Messages about lines of a file begin with it.
  std::fprintf(stderr, "%s%s\n",
               absl::StartsWith(message, place) ? "" : (Printable(place) + ": ").c_str(),
               Printable(message, 1000).c_str());
  switch (ContextErrorOf(status).value_or(ContextError::kMalformed)) {
    case ContextError::kMalformed:
    case ContextError::kUnsupportedVersion:
    case ContextError::kNoCredentials:
      return kBadCall;
    case ContextError::kInternal:
    case ContextError::kResourceExhausted:
      return kFailure;
    default:
      return kNo;
  }
}

int Complain(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return kBadCall;
}

std::string NameOfInput(const Options& options) {
  return options.file == "-" ? "standard input" : options.file;
}

// A packed context, as it is or as Base64. Nothing, which is said, if it cannot be read.
std::optional<std::string> ReadPacked(const Options& options) {
  Input input(options.file);
  std::string text;
  input.Read(/*to_end=*/true, &text);
  if (input.Failed()) return std::nullopt;
  std::string packed;
  const std::string_view magic = "RVSC";
  if (text.substr(0, magic.size()) != magic && absl::Base64Unescape(text, &packed) &&
      packed.substr(0, magic.size()) == magic) {
    return packed;
  }
  return text;
}

absl::Span<const uint8_t> BytesOf(const std::string& text) {
  return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

using Facts = std::vector<std::pair<const char*, std::string>>;

Facts FactsOf(const PackedHeader& header) {
  return {{"seal", header.kind},
          {"key", header.key_id},
          {"id", header.id},
          {"not before", TimeText(header.not_before)},
          {"expires", TimeText(header.expires)},
          {"size", absl::StrCat(header.body_bytes, " bytes")}};
}

std::string ToText(const Facts& facts) {
  std::string text;
  for (const auto& [name, value] : facts) {
    absl::StrAppend(&text, name, std::string(11 - std::strlen(name), ' '), value, "\n");
  }
  return text;
}

nlohmann::ordered_json ToJson(const PackedHeader& header) {
  return {{"seal", header.kind},
          {"key", header.key_id},
          {"id", header.id},
          {"not_before", TimeText(header.not_before)},
          {"expires", TimeText(header.expires)},
          {"body_bytes", header.body_bytes}};
}

int Inspect(const Options& options) {
  const std::optional<std::string> packed = ReadPacked(options);
  if (!packed.has_value()) return kFailure;
  const absl::StatusOr<PackedHeader> header = InspectPacked(BytesOf(*packed));
  if (!header.ok()) return Fail(NameOfInput(options), header.status());
  if (options.format == Format::kJson) {
    std::puts(JsonText(ToJson(*header)).c_str());
  } else {
    std::fputs(ToText(FactsOf(*header)).c_str(), stdout);
    std::fputs("nothing of this is proved; `reeve context open` proves it by the key\n", stderr);
  }
  return kYes;
}

// What opens or seals, with what it needs.
struct Keys {
  std::unique_ptr<KeyRing> ring;
  std::unique_ptr<HostKey> host_key;
  std::vector<HostPublicKey> hosts;
  std::unique_ptr<SingleUse> single_use;
  std::unique_ptr<ContextOpener> opener;
  std::unique_ptr<ContextSealer> sealer;
};

// Returns an exit status; anything but kYes was said.
int LoadKeys(const Options& options, Keys* keys) {
  if (options.ring.empty() == options.host_key.empty()) {
    return Complain(
        "name the keys: either --ring FILE and --service NAME, or --host-key FILE and "
        "--host FILE");
  }
  if (!options.ring.empty()) {
    if (options.service.empty()) {
      return Complain("name the service that the context is for: --service NAME");
    }
    absl::StatusOr<std::unique_ptr<KeyRing>> ring = KeyRing::Load(options.ring, kLock);
    if (!ring.ok()) return Fail(options.ring, ring.status());
    keys->ring = *std::move(ring);
    return kYes;
  }
  absl::StatusOr<std::unique_ptr<HostKey>> key = HostKey::Load(options.host_key, kLock);
  if (!key.ok()) return Fail(options.host_key, key.status());
  keys->host_key = *std::move(key);
  if (options.hosts.empty()) return Complain("name the other host's public key: --host FILE.pub");
  for (const std::string& path : options.hosts) {
    absl::StatusOr<HostPublicKey> host = HostPublicKey::Load(path);
    if (!host.ok()) return Fail(path, host.status());
    keys->hosts.push_back(*std::move(host));
  }
  return kYes;
}

// A context may be as old as it says, whatever the options of the services are: the operator sees
// the times.
SealOptions AnyLifetime() {
  SealOptions options;
  options.max_lifetime = absl::Hours(24);
  return options;
}

template <typename Made, typename Want>
int Take(absl::StatusOr<std::unique_ptr<Made>> made, std::unique_ptr<Want>* out) {
  if (!made.ok()) return Fail("reeve", made.status());
  *out = *std::move(made);
  return kYes;
}

int Open(const Options& options) {
  const std::optional<std::string> packed = ReadPacked(options);
  if (!packed.has_value()) return kFailure;
  const absl::StatusOr<PackedHeader> header = InspectPacked(BytesOf(*packed));
  if (!header.ok()) return Fail(NameOfInput(options), header.status());
  if (header->kind == "process") {
    std::fprintf(stderr, "%s: it is sealed to one process, and only that one can open it\n",
                 Printable(NameOfInput(options)).c_str());
    return kNo;
  }
  Keys keys;
  if (const int status = LoadKeys(options, &keys); status != kYes) return status;
  // This process has opened nothing before, so that nothing can be a repetition.
  int status = Take(SingleUse::Create(1, header->not_before - absl::Hours(24)), &keys.single_use);
  if (status != kYes) return status;
  if (keys.ring != nullptr) {
    const absl::StatusOr<Machine> machine = Machine::Read();
    if (!machine.ok()) return Fail("reeve", machine.status());
    status = Take(KeyRingOpener::Create(keys.ring.get(), options.service, *machine,
                                        keys.single_use.get(), AnyLifetime()),
                  &keys.opener);
  } else {
    SealOptions seal = HostOpener::DefaultOptions();
    seal.max_lifetime = AnyLifetime().max_lifetime;
    status = Take(HostOpener::Create(keys.host_key.get(), keys.hosts, keys.single_use.get(), seal),
                  &keys.opener);
  }
  if (status != kYes) return status;

  const absl::StatusOr<OpenedSeal> opened =
      keys.opener->Open(BytesOf(*packed), Clock::System().Now(), nullptr);
  if (!opened.ok()) return Fail(NameOfInput(options), opened.status());
  const absl::StatusOr<ContextBody> body = DecodeContextBody(opened->body.span());
  if (!body.ok()) return Fail(NameOfInput(options), body.status());
  if (options.format == Format::kJson) {
    nlohmann::ordered_json json = ToJson(*header);
    json["package"] = body->package;
    json["established"] = TimeText(body->established);
    json["context_expires"] = TimeText(body->expires);
    json["session_bytes"] = body->payload.size();
    json.update(ToJson(body->principal));
    std::puts(JsonText(json).c_str());
  } else {
    Facts facts = FactsOf(*header);
    facts.emplace_back("package", body->package);
    facts.emplace_back("since", TimeText(body->established));
    facts.emplace_back("until", TimeText(body->expires));
    facts.emplace_back("session", absl::StrCat(body->payload.size(), " bytes, not shown"));
    std::fputs((ToText(facts) + ToText(body->principal)).c_str(), stdout);
  }
  return kYes;
}

// `level=7`: what follows is JSON, or else text. Returns false if there is no name.
bool AddAttribute(const std::string& text, Attributes* attributes) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  const std::string value = text.substr(equals + 1);
  constexpr JsonLimits kLimits = {kMaxStringBytes, kMaxValueDepth, kMaxValueElements};
  JsonValue json = ReadJson(value, kLimits);
  return attributes->Set(text.substr(0, equals), json.defect == JsonDefect::kNone
                                                     ? std::move(json.value)
                                                     : Value::String(value));
}

// Returns an exit status; anything but kYes was said.
int MakePrincipal(const Options& options, Principal* principal) {
  absl::StatusOr<EntityId> id = ParseEntityId(options.principal);
  if (!id.ok()) return Complain(std::string(id.status().message()));
  // By the word of who calls this command.
  *principal = Principal(*std::move(id), Assurance::kAsserted);
  principal->groups = options.groups;
  principal->via = "reeve";
  for (const std::string& text : options.parents) {
    absl::StatusOr<EntityId> parent = ParseEntityId(text);
    if (!parent.ok()) return Complain(std::string(parent.status().message()));
    principal->parents.push_back(*std::move(parent));
  }
  for (const std::string& text : options.attributes) {
    if (AddAttribute(text, &principal->attributes)) continue;
    return Complain(absl::StrCat("`", Printable(text),
                                 "` is no attribute, or one of a name that was given before; "
                                 "write NAME=VALUE, such as level=7"));
  }
  return kYes;
}

std::optional<absl::Duration> ParseTime(const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration <= absl::ZeroDuration()) {
    Complain(absl::StrCat("`", Printable(text), "` is no time; write one such as 60s or 1h"));
    return std::nullopt;
  }
  return duration;
}

int WriteOutput(const Options& options, const std::string& packed) {
  const std::string text = options.base64 ? absl::Base64Escape(packed) + "\n" : packed;
  if (options.output == "-") {
    if (!options.base64 && isatty(STDOUT_FILENO) == 1) {
      return Complain(
          "a packed context is no text for a terminal; name a file by -o, or use "
          "--base64");
    }
    std::fwrite(text.data(), 1, text.size(), stdout);
    return kYes;
  }
  // Who has the file has the context.
  const int fd = open(options.output.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  std::FILE* const file = fd < 0 ? nullptr : fdopen(fd, "w");
  const bool written =
      file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr && std::fclose(file) == 0 && written) return kYes;
  std::fprintf(stderr, "%s: it cannot be written: %s\n", Printable(options.output).c_str(),
               std::strerror(errno));
  return kFailure;
}

int Seal(const Options& options) {
  Principal principal;
  if (const int status = MakePrincipal(options, &principal); status != kYes) return status;
  const std::optional<absl::Duration> window = ParseTime(options.window);
  const std::optional<absl::Duration> lifetime = ParseTime(options.lifetime);
  if (!window.has_value() || !lifetime.has_value()) return kBadCall;
  Keys keys;
  if (const int status = LoadKeys(options, &keys); status != kYes) return status;
  int status;
  if (keys.ring != nullptr) {
    const absl::StatusOr<Machine> machine = Machine::Read();
    if (!machine.ok()) return Fail("reeve", machine.status());
    status = Take(KeyRingSealer::Create(keys.ring.get(), options.service, *machine, AnyLifetime()),
                  &keys.sealer);
  } else {
    if (keys.hosts.size() != 1) return Complain("a context is for one host; give --host once");
    status =
        Take(HostSealer::Create(keys.host_key.get(), keys.hosts[0], AnyLifetime()), &keys.sealer);
  }
  if (status != kYes) return status;

  const absl::Time now = Clock::System().Now();
  absl::StatusOr<SecurityContext> context =
      SecurityContext::OfPrincipal(std::move(principal), now, now + *lifetime);
  if (!context.ok()) return Fail("reeve", context.status());
  ExportOptions exported;
  exported.sealer = keys.sealer.get();
  exported.window = *window;
  const absl::StatusOr<std::string> packed = (*std::move(context)).Export(exported);
  return packed.ok() ? WriteOutput(options, *packed) : Fail("reeve", packed.status());
}

void AddKeys(CLI::App* command, const char* host, Options* options) {
  CLI::Option* ring =
      command->add_option("--ring", options->ring, "the ring of keys, of `reeve keygen ring`");
  ring->option_text("FILE");
  command->add_option("--service", options->service, "the service that the context is for")
      ->option_text("NAME");
  command->add_option("--host-key", options->host_key, "this host's keys, of `reeve keygen host`")
      ->option_text("FILE")
      ->excludes(ring);
  command->add_option("--host", options->hosts, host)->option_text("FILE.pub")->excludes(ring);
}

}  // namespace

void AddContext(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "context",
      "Look into packed security contexts, open them with their key, and make them.\n"
      "Exit status: 0 done, 1 the context is refused, 2 the call or a file is wrong, 3 the machine "
      "failed.");
  command->require_subcommand(1);
  const auto options = std::make_shared<Options>();
  const auto run = [options, status](int (*what)(const Options&)) {
    return [options, status, what] { *status = what(*options); };
  };

  CLI::App* inspect = command->add_subcommand(
      "inspect",
      "Show what a packed context says outside, where no key is needed and nothing proved");
  inspect->add_option("FILE", options->file,
                      "the context, as it is or as Base64; `-`, the default, "
                      "is standard input");
  AddFormat(inspect, &options->format);
  inspect->callback(run(Inspect));

  CLI::App* open = command->add_subcommand(
      "open",
      "Open a packed context with its key, and show whose it is. This does not use it up: only the "
      "program that it is for knows what it has imported. No key that is inside is shown");
  open->add_option("FILE", options->file, "as of `inspect`");
  AddKeys(open, "the public key of a host that may have sealed it; several may be given",
          options.get());
  AddFormat(open, &options->format);
  open->callback(run(Open));

  CLI::App* seal =
      command->add_subcommand("seal",
                              "Make a packed context, of package `reeve`, of a principal that you "
                              "assert: for tests and for "
                              "scripts that act for somebody. Its assurance is `asserted`");
  seal->add_option("PRINCIPAL", options->principal, "`type:id`: user:ada@EXAMPLE.COM")->required();
  seal->add_option("--group", options->groups, "a group it is in; several may be given")
      ->option_text("NAME");
  seal->add_option("--parent", options->parents, "an entity it lies in; several may be given")
      ->option_text("TYPE:ID");
  seal->add_option("--attribute", options->attributes,
                   "a fact; VALUE is JSON, or else a text; several may be given")
      ->option_text("NAME=VALUE");
  AddKeys(seal, "the public key of the host that it is for", options.get());
  seal->add_option("--window", options->window, "how long it may wait to be imported")
      ->option_text("TIME [60s]");
  seal->add_option("--lifetime", options->lifetime, "when the context ends")
      ->option_text("TIME [1h]");
  seal->add_option("-o,--output", options->output,
                   "a new file, of mode 0600; `-`, the default, is standard output")
      ->option_text("FILE");
  seal->add_flag("--base64", options->base64, "as text");
  seal->callback(run(Seal));

  command->footer(
      "Examples:\n"
      "  reeve context seal user:ada --group staff --ring ring.keys --service worker -o "
      "ada.context\n"
      "  reeve context inspect ada.context\n"
      "  reeve context open ada.context --ring ring.keys --service worker");
}

}  // namespace reeve
