// log dump, log verify: the files of a file ledger, read where they are, without a server.
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <utility>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/json.h"
#include "clients/cli/transaction_text.h"
#include "common/errors.h"
#include "common/model/transaction_list.h"
#include "common/process/progress_bar.h"
#include "txn_server/log/file/backup_check.h"
#include "txn_server/log/file/log_inspector.h"

namespace kvs::cli {
namespace {

using txn::FrameHeader;
using txn::FrameKind;
using txn::LogReport;
using txn::LogScan;
using txn::SegmentSummary;
using txn::StoredFrame;

absl::string_view KindName(FrameKind kind) {
  switch (kind) {
    case FrameKind::kTransactions:
      return "transactions";
    case FrameKind::kEpoch:
      return "epoch";
    case FrameKind::kSeal:
      return "seal";
  }
  return "unknown";
}

std::string FrameText(const SegmentSummary& segment, const FrameHeader& header) {
  std::string text =
      absl::StrCat("# ", KindName(header.kind), " in ", segment.path, " at ", header.offset, ", epoch ", header.epoch);
  if (header.kind == FrameKind::kTransactions) {
    absl::StrAppend(&text, ", revisions ", header.first_revision, " to ", header.first_revision + header.count - 1);
  }
  return text;
}

std::string FrameJson(const SegmentSummary& segment, const FrameHeader& header) {
  return JsonObject()
      .Add("frame", KindName(header.kind))
      .Add("file", segment.path)
      .Add("offset", header.offset)
      .Add("epoch", header.epoch)
      .Add("firstRevision", header.first_revision)
      .Add("count", uint64_t{header.count})
      .Add("payloadBytes", uint64_t{header.payload_bytes})
      .ToString();
}

void PrintTransactions(const StoredFrame& frame, Output& output) {
  TransactionListReader list;
  list.Reset(frame.payload);
  while (true) {
    const auto item = list.Next();
    if (!item.ok()) {
      output.Note(absl::StrCat(item.status().message(), "; a later version may have written it"));
    } else if (*item) {
      output.Result(TransactionJson((*item)->transaction), TransactionText((*item)->transaction));
    } else {
      return;
    }
  }
}

std::string TornText(const txn::TornTail& torn) {
  return absl::StrCat("the last frame, at ", torn.offset, " of ", torn.path, ", was not written to its end: ", torn.why,
                      "; it was never acknowledged, and the next start of txn_server removes it");
}

absl::StatusOr<int> Dump(const Context& context) {
  const auto report =
      txn::InspectLog(context.arguments[0], [&](const SegmentSummary& segment, const StoredFrame& frame) {
        context.output.Result(FrameJson(segment, frame.header), FrameText(segment, frame.header));
        if (frame.header.kind == FrameKind::kTransactions) PrintTransactions(frame, context.output);
      });
  if (!report.ok()) return report.status();
  if (!report->verdict.ok()) return report->verdict;
  for (const txn::DamagedSnapshot& damaged : report->scan.damaged_snapshots) {
    context.output.Note(absl::StrCat(damaged.status.message(), "; the log is whole without it"));
  }
  if (report->scan.torn) context.output.Note(TornText(*report->scan.torn));
  return kSuccess;
}

uint64_t BytesOf(const LogScan& scan) {
  uint64_t bytes = 0;
  for (const SegmentSummary& segment : scan.segments) bytes += segment.file_bytes;
  for (const SegmentSummary& segment : scan.spares) bytes += segment.file_bytes;
  for (const txn::SnapshotSummary& snapshot : scan.snapshots) bytes += snapshot.header.file_bytes;
  return bytes;
}

uint64_t FilesOf(const LogScan& scan) { return scan.segments.size() + scan.spares.size() + scan.snapshots.size(); }

// Whether every byte is as it was written, also those that a start could do without.
absl::Status VerdictOf(const LogReport& report) {
  if (!report.verdict.ok() || report.scan.damaged_snapshots.empty()) return report.verdict;
  return report.scan.damaged_snapshots.front().status;
}

std::string SnapshotsText(const LogScan& scan) {
  if (scan.snapshots.empty()) return "none";
  const txn::SnapshotHeader& newest = scan.snapshots.back().header;
  uint64_t keys = 0;
  for (const uint64_t of_type : newest.keys) keys += of_type;
  return absl::StrCat(scan.snapshots.size(), ", the newest of revision ", newest.point.revision, " with ", keys,
                      " keys in ", newest.file_bytes, " bytes");
}

// How the log ends: what a start would find.
std::string EndText(const LogReport& report) {
  if (report.scan.damage) return "not reached";
  if (report.live) return "moving: a server is using the ledger";
  if (report.scan.torn) return TornText(*report.scan.torn);
  if (report.scan.is_closed) return "closed: the server was stopped";
  return report.scan.is_sealed ? "sealed: nothing was being written" : "whole, but not sealed: the server was killed";
}

std::string ReportText(const LogReport& report) {
  const LogScan& scan = report.scan;
  const uint64_t first = scan.segments.empty() ? 1 : scan.segments.front().first_revision();
  std::string text = absl::StrCat("log        ", absl::BytesToHexString(scan.log_id), ", epoch ", scan.tip.epoch, "\n");
  absl::StrAppend(&text, "files      ", FilesOf(scan), ", ", BytesOf(scan), " bytes\n");
  absl::StrAppend(&text, "snapshots  ", SnapshotsText(scan), "\n");
  absl::StrAppend(&text, "revisions  ");
  if (scan.tip.last_revision >= first) {
    absl::StrAppend(&text, first, " to ", scan.tip.last_revision, ", in ", scan.transaction_frames, " frames\n");
  } else if (scan.tip.last_revision > 0) {
    absl::StrAppend(&text, "none, all up to ", scan.tip.last_revision, " are in the snapshot\n");
  } else {
    absl::StrAppend(&text, "none\n");
  }
  absl::StrAppend(&text, "end        ", EndText(report), "\n");
  for (const txn::DamagedSnapshot& damaged : scan.damaged_snapshots) {
    absl::StrAppend(&text, "damaged    ", damaged.path, "\n");
  }
  absl::StrAppend(&text, "verdict    ", VerdictOf(report).ok() ? "good" : "NOT GOOD", "\n");
  return text;
}

std::string DamageJson(const txn::Damage& damage) {
  return JsonObject()
      .Add("file", damage.path)
      .Add("offset", damage.offset)
      .Add("lastRevision", damage.last_revision)
      .Add("what", damage.what)
      .ToString();
}

std::string ReportJson(const LogReport& report) {
  const LogScan& scan = report.scan;
  JsonObject object;
  object.Add("good", VerdictOf(report).ok())
      .Add("logId", absl::BytesToHexString(scan.log_id))
      .Add("epoch", scan.tip.epoch)
      .Add("files", FilesOf(scan))
      .Add("bytes", BytesOf(scan))
      .Add("lastRevision", scan.tip.last_revision)
      .Add("compactedRevision", scan.segments.empty() ? 0 : scan.segments.front().first_revision() - 1)
      .Add("snapshots", uint64_t{scan.snapshots.size()})
      .Add("damagedSnapshots", uint64_t{scan.damaged_snapshots.size()})
      .Add("snapshotRevision", scan.snapshots.empty() ? 0 : scan.snapshots.back().header.point.revision)
      .Add("transactionFrames", scan.transaction_frames)
      .Add("live", report.live)
      .Add("sealed", scan.is_sealed)
      .Add("closed", scan.is_closed)
      .Add("torn", scan.torn.has_value());
  if (scan.damage) object.AddJson("damage", DamageJson(*scan.damage));
  return object.ToString();
}

// The verdict with what a person needs to know besides where the damage is.
absl::Status Explained(const LogReport& report) {
  if (!Is(report.verdict, errors::kDamagedLog)) return report.verdict;
  std::string message(report.verdict.message());
  if (report.next_after_damage) {
    absl::StrAppend(&message, "; behind it, at offset ", report.next_after_damage->offset,
                    ", the file goes on with revision ", report.next_after_damage->first_revision);
  }
  return Error(errors::kDamagedLog,
               absl::StrCat(message,
                            "; keep the folder as it is, and restore a backup; without one \"kvs log salvage\" makes a "
                            "ledger of what can be read"));
}

// A backup is compared with its list, as a restore does it.
absl::StatusOr<int> VerifyBackup(const Context& context) {
  ProgressBar bar(context.environment.err, context.progress_style());
  const auto backup = txn::CheckBackup(context.arguments[0], [&](absl::string_view what, uint64_t done,
                                                                 uint64_t total) { bar.Show(what, done, total); });
  bar.Clear();
  if (!backup.ok()) return backup.status();
  const txn::BackupManifest& manifest = backup->manifest;
  const std::string made = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", manifest.made, absl::UTCTimeZone());
  uint64_t bytes = 0;
  for (const txn::BackupFile& file : manifest.files) bytes += file.bytes;
  context.output.Result(JsonObject()
                            .Add("good", true)
                            .Add("backup", true)
                            .Add("made", made)
                            .Add("logId", absl::BytesToHexString(manifest.log_id))
                            .Add("epoch", manifest.epoch)
                            .Add("files", uint64_t{manifest.files.size()})
                            .Add("bytes", bytes)
                            .Add("lastRevision", manifest.revision)
                            .ToString(),
                        absl::StrCat("backup     of log ", absl::BytesToHexString(manifest.log_id), ", epoch ",
                                     manifest.epoch, ", made ", made, "\nfiles      ", manifest.files.size(), ", ",
                                     bytes, " bytes\nrevisions  up to ", manifest.revision, "\nverdict    good"));
  return kSuccess;
}

absl::StatusOr<int> Verify(const Context& context) {
  if (txn::IsBackup(txn::PosixFileSystem(), context.arguments[0])) return VerifyBackup(context);
  ProgressBar bar(context.environment.err, context.progress_style());
  const auto report =
      txn::InspectLog(context.arguments[0], nullptr, txn::PosixFileSystem(),
                      [&](absl::string_view what, uint64_t done, uint64_t total) { bar.Show(what, done, total); });
  bar.Clear();
  if (!report.ok()) return report.status();
  std::string text = ReportText(*report);
  text.pop_back();
  context.output.Result(ReportJson(*report), text);
  if (!report->verdict.ok()) return Explained(*report);
  if (absl::Status damaged = VerdictOf(*report); !damaged.ok()) {
    return Error(errors::kDamagedLog, absl::StrCat(damaged.message(),
                                                   "; the ledger can be opened without it, and txn_server replaces it "
                                                   "in time, but the disk is not to be trusted"));
  }
  return kSuccess;
}

}  // namespace

std::vector<Command> LogCommands() {
  return {
      {.name = "log dump",
       .arguments = "DIR",
       .summary = "print what a file ledger holds, transaction by transaction",
       .details = "DIR is the --data-dir of txn_server, which may be running. Lines that begin with # are frames, the\n"
                  "others transactions: revision, time, type, key, operation with its values, client.\n"
                  "Prints what is good up to the first damage, and then ends with 1.",
       .example = "kvs log dump .kvs/data",
       .min_arguments = 1,
       .max_arguments = 1,
       .completion = Kind::kDirectory,
       .run = Dump},
      {.name = "log verify",
       .arguments = "DIR",
       .summary = "read a whole file ledger or backup and check every byte",
       .details = "DIR is the --data-dir of txn_server, which may be running, or a backup, which is compared with its\n"
                  "list of files as \"kvs log restore\" does it. Changes nothing; ends with 1 at any damage.",
       .example = "kvs log verify .kvs/data",
       .min_arguments = 1,
       .max_arguments = 1,
       .completion = Kind::kDirectory,
       .run = Verify},
  };
}

}  // namespace kvs::cli
