// `reeve audit prune`: removes what is older, or too much, and leaves a note of it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/audit_command.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"
#include "reeve/store/prune.h"

namespace reeve {
namespace {

struct Options {
  std::string db;
  std::string older_than;
  std::string before;
  std::string max_size;
  std::string reason;
  std::string sign_with;
  std::string checkpoints;
  bool vacuum = false;
  bool dry_run = false;
  Format format = Format::kText;
};

// "90d", "12h": digits and a letter.
bool IsAge(const std::string& text) {
  return text.size() > 1 && absl::ascii_isalpha(static_cast<unsigned char>(text.back())) &&
         text.find_first_not_of("0123456789") == text.size() - 1;
}

// "10GiB", "500MiB", "4096B".
std::optional<int64_t> ParseSize(const std::string& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  int64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) return std::nullopt;
  int shift = 0;
  for (const char* const unit : {"B", "KiB", "MiB", "GiB", "TiB"}) {
    if (text.substr(digits) == unit) {
      if (number > std::numeric_limits<int64_t>::max() >> shift) return std::nullopt;
      return number << shift;
    }
    shift += 10;
  }
  return std::nullopt;
}

// The seed of a key: 64 hexadecimal digits in a file that others cannot read. Empty, having said
// why, if it is something else.
std::string ReadSeed(const std::string& path) {
  const std::string name = Printable(path, 1000);
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  struct stat info = {};
  char digits[66];
  const bool opened = file >= 0 && fstat(file, &info) == 0;
  const ssize_t size = opened ? read(file, digits, sizeof digits) : -1;
  if (size < 0) std::fprintf(stderr, "%s: %s\n", name.c_str(), std::strerror(errno));
  if (file >= 0) close(file);
  if (size < 0) return {};
  if ((info.st_mode & 077) != 0) {
    std::fprintf(stderr, "%s: others can read it; chmod 600 it, and make a new key\n",
                 name.c_str());
    return {};
  }
  const std::string text(absl::StripTrailingAsciiWhitespace({digits, static_cast<size_t>(size)}));
  const std::string seed = absl::HexStringToBytes(text.size() == 64 ? text : std::string());
  if (seed.size() != 32 || absl::BytesToHexString(seed) != absl::AsciiStrToLower(text)) {
    std::fprintf(stderr,
                 "%s: is no key; write the 64 hexadecimal digits that the program which keeps the "
                 "log signs checkpoints with\n",
                 name.c_str());
    return {};
  }
  return seed;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

void PrintText(const PruneResult& result, const Options& options) {
  std::printf("%s%lld records in %lld segments", options.dry_run ? "would remove " : "removed ",
              static_cast<long long>(result.records), static_cast<long long>(result.segments));
  if (result.records > 0) {
    std::printf(", decided from %s to %s", TimeText(result.oldest).c_str(),
                TimeText(result.newest).c_str());
  }
  std::printf("\n%lld bytes were in use, %s%lld %s; the file has %lld\n",
              static_cast<long long>(result.bytes_before), options.dry_run ? "about " : "",
              static_cast<long long>(result.bytes_after), options.dry_run ? "would be" : "are",
              static_cast<long long>(result.file_bytes));
}

void PrintJson(const PruneResult& result, const Options& options) {
  nlohmann::ordered_json json = {{"dry_run", options.dry_run},
                                 {"records", result.records},
                                 {"segments", result.segments},
                                 {"bytes", result.bytes}};
  if (result.records > 0) {
    json["oldest"] = TimeText(result.oldest);
    json["newest"] = TimeText(result.newest);
  }
  json["in_use_before"] = result.bytes_before;
  json["in_use_after"] = result.bytes_after;
  json["file_bytes"] = result.file_bytes;
  std::puts(JsonText(json).c_str());
}

int RunPrune(const Options& options) {
  PruneOptions prune;
  prune.vacuum = options.vacuum;
  prune.dry_run = options.dry_run;
  prune.progress = ShowProgress;
  prune.checkpoint_file = options.checkpoints;
  std::string asked;
  const absl::Time now = absl::Now();
  const std::string& time = options.older_than.empty() ? options.before : options.older_than;
  if (!time.empty()) {
    prune.before = ParseMoment(time, now);
    const bool is_age = IsAge(time);
    if (!prune.before.has_value() || is_age != !options.older_than.empty()) {
      return Refuse(absl::StrCat("`", Printable(time), "` is no ",
                                 options.older_than.empty()
                                     ? "time; write `2026-11-20T09:00:00Z` or `2026-11-20`"
                                     : "age; write `90d` or `12h`"));
    }
    asked = absl::StrCat("before ", TimeText(*prune.before));
  }
  if (!options.max_size.empty()) {
    prune.max_bytes = ParseSize(options.max_size);
    if (!prune.max_bytes.has_value()) {
      return Refuse(absl::StrCat("`", Printable(options.max_size),
                                 "` is no size; write `10GiB`, `500MiB` or `0B`"));
    }
    absl::StrAppend(&asked, asked.empty() ? "" : ", ", "to ", *prune.max_bytes, " bytes");
  }
  if (asked.empty()) {
    return Refuse(
        "nothing is asked for; say what is to go with `--older-than`, `--before` or `--max-size`");
  }
  prune.reason = absl::StrCat(asked, options.reason.empty() ? "" : ": ", options.reason);
  if (!options.sign_with.empty()) {
    prune.key = ReadSeed(options.sign_with);
    if (prune.key.empty()) return kBadCall;
  }
  const absl::StatusOr<PruneResult> result = Prune(options.db, prune);
  if (!result.ok()) return FailOfAudit(options.db, result.status());
  options.format == Format::kJson ? PrintJson(*result, options) : PrintText(*result, options);
  return prune.max_bytes.has_value() && result->bytes_after > *prune.max_bytes ? kNo : kYes;
}

}  // namespace

void AddAuditPrune(CLI::App* audit, int* status) {
  CLI::App* command = audit->add_subcommand(
      "prune",
      "Remove the oldest records, while others write. What is gone stands in the log, with who did "
      "it, when and why: `reeve audit verify` accepts that it is gone, and nothing else.\n"
      "Exit status: 0 done, 1 the file still takes more than --max-size, 2 the call is wrong or DB "
      "is no audit file, 3 it cannot be read or written, or what is to go is not as it was "
      "written.");
  auto options = std::make_shared<Options>();
  command->add_option("DB", options->db, "an audit file")->required();
  CLI::Option* const older_than =
      command->add_option("--older-than", options->older_than, "records of such an age: 90d, 12h")
          ->check(NotEmpty())
          ->option_text("AGE");
  command
      ->add_option("--before", options->before,
                   "records that were decided before: 2026-11-20T09:00:00Z, 2026-11-20")
      ->check(NotEmpty())
      ->option_text("TIME")
      ->excludes(older_than);
  command
      ->add_option(
          "--max-size", options->max_size,
          "the oldest records, until what is in use of the file takes no more: 10GiB; with "
          "a time, what either asks for")
      ->check(NotEmpty())
      ->option_text("SIZE");
  command->add_option("--reason", options->reason, "why; stands in the log")
      ->check(NotEmpty())
      ->option_text("TEXT");
  CLI::Option* const sign_with =
      command
          ->add_option("--sign-with", options->sign_with,
                       "a file with the key that signs checkpoints, 64 hexadecimal digits: `verify "
                       "--key` accepts no other prunings")
          ->check(NotEmpty())
          ->option_text("FILE");
  command
      ->add_option(
          "--checkpoints", options->checkpoints,
          "append a signed line about what was removed to this file, which is kept elsewhere")
      ->check(NotEmpty())
      ->option_text("FILE")
      ->needs(sign_with);
  command->add_flag("--vacuum", options->vacuum,
                    "make the file smaller: writers wait meanwhile. Without it later records fill "
                    "the space");
  command->add_flag("--dry-run", options->dry_run, "remove nothing, and say what would go");
  AddFormat(command, &options->format);
  command->footer(
      "Whole segments go, the oldest of each writer first: a record may stay because it shares one "
      "with a newer record. Their counts in `decisions_by_hour` go with them.\n"
      "Examples:\n"
      "  reeve audit prune audit.db --older-than 90d --dry-run\n"
      "  reeve audit prune audit.db --older-than 90d --max-size 10GiB --reason \"kept for 90 "
      "days\"");
  command->callback([options, status] { *status = RunPrune(*options); });
}

}  // namespace reeve
