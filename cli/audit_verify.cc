// `reeve audit verify|reindex`: whether the log is as it was written, and its rows made anew.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/audit_command.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"
#include "reeve/store/reindex.h"
#include "reeve/store/verify.h"

namespace reeve {
namespace {

struct Options {
  std::string db;
  std::string checkpoints;
  std::vector<std::string> keys;  // In hexadecimal.
  bool rows = false;
  Format format = Format::kText;
};

constexpr size_t kKeyDigits = 64;

const char* NameOf(AuditFinding::Kind kind) {
  switch (kind) {
    case AuditFinding::Kind::kChanged:
      return "changed";
    case AuditFinding::Kind::kMissing:
      return "missing";
    case AuditFinding::Kind::kCheckpoint:
      return "checkpoint";
    case AuditFinding::Kind::kPruning:
      return "pruning";
    case AuditFinding::Kind::kRow:
      return "row";
  }
  return "";
}

// "records 1 to 8120, 8122"
std::string IntactOf(const AuditWriter& writer) {
  std::string text;
  for (const AuditRange& range : writer.intact) {
    absl::StrAppend(&text, text.empty() ? "records " : ", ", range.first);
    if (range.last > range.first) absl::StrAppend(&text, " to ", range.last);
  }
  return text.empty() ? "none" : text;
}

const char* EndOf(const AuditWriter& writer) {
  return writer.closed != 0 ? "ended in order" : "at work, or was killed";
}

std::string TimeOf(int64_t micros) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMicros(micros), absl::UTCTimeZone());
}

void PrintPrunings(const AuditReport& report) {
  for (const AuditPruning& pruning : report.prunings) {
    std::printf(
        "records %lld to %lld of writer %lld, from %s to %s, were pruned at %s by uid %lld%s%s%s\n",
        static_cast<long long>(pruning.first), static_cast<long long>(pruning.last),
        static_cast<long long>(pruning.writer), TimeOf(pruning.min_time).c_str(),
        TimeOf(pruning.max_time).c_str(), TimeOf(pruning.time).c_str(),
        static_cast<long long>(pruning.uid), pruning.is_signed ? ", signed" : "",
        pruning.reason.empty() ? "" : ": ", pruning.reason.c_str());
  }
}

void PrintText(const AuditReport& report) {
  if (!report.writers.empty()) {
    Table table({"WRITER", "PROCESS", "MACHINE", "LAST", "END", "INTACT"}, 1);
    for (const AuditWriter& writer : report.writers) {
      table.AddRow(
          {absl::StrCat(writer.id), writer.process, writer.machine, absl::StrCat(writer.last_seq),
           EndOf(writer),
           writer.chained ? IntactOf(writer) : "not known: written before there was a chain"});
    }
    std::fputs(table.ToString(TerminalWidth()).c_str(), stdout);
  }
  PrintPrunings(report);
  std::printf("%lld records in %lld segments, %lld bytes; %lld checkpoints fit, and %lld beside",
              static_cast<long long>(report.records), static_cast<long long>(report.segments),
              static_cast<long long>(report.bytes), static_cast<long long>(report.checkpoints),
              static_cast<long long>(report.checkpoints_beside));
  if (report.rows > 0) std::printf("; %lld rows compared", static_cast<long long>(report.rows));
  std::puts(report.intact() ? ": intact" : ": NOT as it was written");
}

void PrintJson(const AuditReport& report) {
  nlohmann::ordered_json writers = nlohmann::ordered_json::array();
  for (const AuditWriter& writer : report.writers) {
    nlohmann::ordered_json intact = nlohmann::ordered_json::array();
    for (const AuditRange& range : writer.intact) {
      intact.push_back({{"first", range.first}, {"last", range.last}});
    }
    writers.push_back({{"writer", writer.id},
                       {"uuid", writer.uuid},
                       {"process", writer.process},
                       {"machine", writer.machine},
                       {"follows", writer.follows},
                       {"closed", writer.closed != 0},
                       {"chained", writer.chained},
                       {"pruned", writer.pruned},
                       {"last_seq", writer.last_seq},
                       {"intact", std::move(intact)}});
  }
  nlohmann::ordered_json prunings = nlohmann::ordered_json::array();
  for (const AuditPruning& pruning : report.prunings) {
    prunings.push_back({{"writer", pruning.writer},
                        {"first", pruning.first},
                        {"last", pruning.last},
                        {"oldest", TimeOf(pruning.min_time)},
                        {"newest", TimeOf(pruning.max_time)},
                        {"time", TimeOf(pruning.time)},
                        {"uid", pruning.uid},
                        {"reason", pruning.reason},
                        {"signed", pruning.is_signed}});
  }
  nlohmann::ordered_json findings = nlohmann::ordered_json::array();
  for (const AuditFinding& finding : report.findings) {
    findings.push_back({{"kind", NameOf(finding.kind)},
                        {"writer", finding.writer},
                        {"seq", finding.seq},
                        {"message", finding.message}});
  }
  const nlohmann::ordered_json json = {{"intact", report.intact()},
                                       {"records", report.records},
                                       {"segments", report.segments},
                                       {"bytes", report.bytes},
                                       {"unchained_records", report.unchained_records},
                                       {"pruned_records", report.pruned_records},
                                       {"checkpoints", report.checkpoints},
                                       {"checkpoints_beside", report.checkpoints_beside},
                                       {"checkpoints_pruned", report.checkpoints_pruned},
                                       {"rows", report.rows},
                                       {"writers", std::move(writers)},
                                       {"prunings", std::move(prunings)},
                                       {"findings", std::move(findings)},
                                       {"more_findings", report.more_findings}};
  std::puts(JsonText(json).c_str());
}

int Verify(const Options& options) {
  AuditVerifier::Options verify;
  verify.checkpoint_file = options.checkpoints;
  verify.rows = options.rows;
  verify.progress = ShowProgress;
  for (const std::string& digits : options.keys) {
    const std::string key = absl::HexStringToBytes(digits);
    if (digits.size() != kKeyDigits || absl::BytesToHexString(key) != digits) {
      std::fprintf(
          stderr,
          "`%s` is no public key; write the %zu hexadecimal digits, in small letters, that "
          "stand in a line of checkpoints\n",
          Printable(digits).c_str(), kKeyDigits);
      return kBadCall;
    }
    verify.keys.push_back(key);
  }
  const absl::StatusOr<AuditReport> report = AuditVerifier::Verify(options.db, verify);
  if (!report.ok()) return FailOfAudit(options.db, report.status());
  for (const AuditFinding& finding : report->findings) {
    std::fprintf(stderr, "%s\n", finding.message.c_str());
  }
  if (report->more_findings > 0) {
    std::fprintf(stderr, "%lld more findings are not shown\n",
                 static_cast<long long>(report->more_findings));
  }
  if (report->unchained_records > 0) {
    std::fprintf(stderr,
                 "%lld records were written before there was a chain: whether they were changed "
                 "cannot be told\n",
                 static_cast<long long>(report->unchained_records));
  }
  for (const AuditWriter& writer : report->writers) {
    if (writer.follows.empty()) continue;
    std::fprintf(stderr,
                 "writer %lld began this file after `%s` was damaged and set aside; verify that as "
                 "well\n",
                 static_cast<long long>(writer.id), writer.follows.c_str());
  }
  options.format == Format::kJson ? PrintJson(*report) : PrintText(*report);
  return report->intact() ? kYes : kNo;
}

int MakeRows(const Options& options) {
  const absl::Status status = Reindex(options.db, ShowProgress);
  return status.ok() ? kYes : FailOfAudit(options.db, status);
}

}  // namespace

bool ShowProgress(int64_t done, int64_t of) {
  if (isatty(STDERR_FILENO) == 1 && of > 0) {
    std::fprintf(stderr, "\r%3d %%%s", static_cast<int>(100.0 * done / of),
                 done >= of ? "\r     \r" : "");
    std::fflush(stderr);
  }
  return true;
}

void AddAuditVerify(CLI::App* audit, int* status) {
  CLI::App* command =
      audit->add_subcommand("verify",
                            "Find out whether the log is as it was written: each record hashed and "
                            "chained, none changed, "
                            "removed, moved or put in.\n"
                            "Exit status: 0 it is, 1 it is not (standard error says where, and "
                            "what is intact), 2 the call "
                            "is wrong or DB is no audit file, 3 it cannot be read.");
  auto options = std::make_shared<Options>();
  command->add_option("DB", options->db, "an audit file")->required();
  command
      ->add_option("--checkpoints", options->checkpoints,
                   "signed checkpoints that were kept elsewhere: with them it is found, too, that "
                   "the newest records were removed, or all was written anew")
      ->option_text("FILE");
  command
      ->add_option(
          "--key", options->keys,
          "the public key that checkpoints and prunings must have, in hexadecimal; several may be "
          "given; without one any key will do, and prunings need none")
      ->option_text("HEX");
  command->add_flag("--rows", options->rows,
                    "also compare the rows of the view `decisions` with the records: takes longer");
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  reeve audit verify audit.db\n"
      "  reeve audit verify audit.db --checkpoints /mnt/elsewhere/audit.checkpoints --rows");
  command->callback([options, status] { *status = Verify(*options); });
}

void AddAuditReindex(CLI::App* audit, int* status) {
  CLI::App* command = audit->add_subcommand(
      "reindex",
      "Make the rows of the view `decisions` anew from the records, while others may write.\n"
      "Exit status: 0 done, 2 the call is wrong or DB is no audit file, 3 it cannot be read or "
      "written, or a record is damaged.");
  auto options = std::make_shared<Options>();
  command->add_option("DB", options->db, "an audit file")->required();
  command->callback([options, status] { *status = MakeRows(*options); });
}

}  // namespace reeve
