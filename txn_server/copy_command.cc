#include "txn_server/copy_command.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <ostream>
#include <string>
#include <utility>

#include "common/config/config_parser.h"
#include "common/errors.h"
#include "common/exit_codes.h"
#include "common/logging/format.h"
#include "common/process/progress_bar.h"
#include "txn_server/config.h"
#include "txn_server/log/copy_log.h"
#include "txn_server/log/file/new_ledger.h"
#include "txn_server/open_txn_log.h"

namespace kvs::txn {
namespace {

enum class OutputFormat { kText, kJson };

struct CopySettings {
  std::string from;
  std::string to;
  TargetOptions target;
  OutputFormat output = OutputFormat::kText;
};

ConfigParser MakeCopyParser(CopySettings* settings) {
  ConfigParser parser("txn_server copy", "TXN_SERVER_COPY_",
                      "Copies a ledger into a new one, of the same or another kind. Revisions stay what they are; the "
                      "log id is new. The source is not changed. A ledger in files must not be in use meanwhile; one "
                      "in PostgreSQL may be: the copy is of one revision and everything before it.");
  parser.AddSection("Copy");
  parser.AddText("from", &settings->from, "LEDGER",
                 "The ledger to copy: file:DIR, where DIR is its --data-dir, or postgres:URL.");
  parser.AddText(
      "to", &settings->to, "LEDGER",
      "The ledger to make: file:DIR, where DIR is missing or empty, or postgres:URL of an empty database. It is "
      "there as a whole or not at all.");
  AddSegmentSize(parser, &settings->target.segment_bytes, "The size of a segment of the file ledger that is made.");
  AddRetention(parser, &settings->target.retention,
               "What a database that is filled keeps of keys that were deleted: nothing that is older than the "
               "delete, or everything.");
  parser.AddChoice("output", &settings->output, {{"text", OutputFormat::kText}, {"json", OutputFormat::kJson}},
                   "How to tell what was copied, or why not.");
  return parser;
}

struct Copied {
  CopyReport report;
  LogPosition position;
};

absl::StatusOr<Copied> Copy(const LedgerName& from, const LedgerName& to, const CopySettings& settings,
                            const ProgressFunction& progress) {
  if (from.kind == LedgerKind::kFile && to.kind == LedgerKind::kFile) {
    if (absl::Status status = CheckNewLedgerDirectory(PosixFileSystem(), to.place, from.place); !status.ok()) {
      return status;
    }
  }
  if (progress) progress("reading the source", 0, 0);
  auto source = ReadSourceLog(from);
  if (!source.ok()) return source.status();
  Copied copied;
  const auto position = MakeTargetLog(to, settings.target, [&](TxnLog& target) {
    const auto report = CopyLog(source->position, std::move(source->history), target, progress);
    if (report.ok()) copied.report = *report;
    return report.status();
  });
  if (!position.ok()) return position.status();
  copied.position = *position;
  return copied;
}

std::string Text(const Copied& copied) {
  const CopyReport& report = copied.report;
  const char* const left_out = report.snapshot_revision > 0 ? " without the history before it" : "";
  return absl::StrCat("copied revision ", report.revision, ": a snapshot of revision ", report.snapshot_revision,
                      left_out, " and ", report.transactions, " transactions, as the new ledger ",
                      absl::BytesToHexString(copied.position.log_id), "\n");
}

// Integers of 64 bits are strings, as in all JSON that kvs prints.
std::string Json(const Copied& copied) {
  const CopyReport& report = copied.report;
  return absl::StrCat("{\"logId\":\"", absl::BytesToHexString(copied.position.log_id), "\",\"revision\":\"",
                      report.revision, "\",\"epoch\":\"", report.epoch, "\",\"snapshotRevision\":\"",
                      report.snapshot_revision, "\",\"transactions\":\"", report.transactions, "\"}\n");
}

int Fail(std::ostream& err, OutputFormat output, ExitCode code, const absl::Status& status) {
  if (output == OutputFormat::kText) {
    err << "txn_server copy: " << status.message() << "\n";
  } else {
    err << "{\"code\":\"" << absl::StatusCodeToString(status.code()) << "\",\"reason\":\"" << ReasonOf(status)
        << "\",\"message\":" << JsonString(status.message()) << "}\n";
  }
  return code;
}

int FailToCopy(std::ostream& err, OutputFormat output, absl::Status status) {
  if (Is(status, errors::kNoSpace)) {
    status =
        Error(errors::kNoSpace, absl::StrCat(status.message(), ": nothing was copied, and nothing was left behind"));
  }
  return Fail(err, output, absl::IsDataLoss(status) ? kExitDataLoss : kExitStartFailed, status);
}

ProgressBar::Style StyleFor(OutputFormat output) {
  if (isatty(STDERR_FILENO) != 0) return ProgressBar::Style::kBar;
  return output == OutputFormat::kText ? ProgressBar::Style::kLines : ProgressBar::Style::kNone;
}

}  // namespace

int RunCopy(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  CopySettings settings;
  if (const absl::Status status = CheckNoPassword(absl::MakeConstSpan(argv + 1, argc - 1)); !status.ok()) {
    return Fail(err, settings.output, kExitBadSettings, status);
  }
  if (const auto exit_code = MakeCopyParser(&settings).ParseMain(argc, argv)) return *exit_code;
  const auto refuse = [&](absl::string_view what) {
    return Fail(err, settings.output, kExitBadSettings, absl::InvalidArgumentError(what));
  };
  if (settings.from.empty() || settings.to.empty()) return refuse("--from and --to must be set");
  const auto from = ParseLedgerName(settings.from);
  if (!from.ok()) return refuse(absl::StrCat("--from: ", from.status().message()));
  const auto to = ParseLedgerName(settings.to);
  if (!to.ok()) return refuse(absl::StrCat("--to: ", to.status().message()));
  ProgressBar bar(err, StyleFor(settings.output));
  const auto copied = Copy(*from, *to, settings,
                           [&](absl::string_view what, uint64_t done, uint64_t total) { bar.Show(what, done, total); });
  bar.Clear();
  if (!copied.ok()) return FailToCopy(err, settings.output, copied.status());
  out << (settings.output == OutputFormat::kJson ? Json(*copied) : Text(*copied));
  return kExitClean;
}

}  // namespace kvs::txn
