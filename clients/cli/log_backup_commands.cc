// log backup, log restore, log salvage.
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/json.h"
#include "common/errors.h"
#include "common/process/progress_bar.h"
#include "txn_server/log/file/backup.h"
#include "txn_server/log/file/restore.h"
#include "txn_server/log/file/salvage.h"

namespace kvs::cli {
namespace {

// Says what a full disk means here, besides what was being done when it was full.
absl::Status Explained(const absl::Status& status, absl::string_view what_is_left) {
  if (!Is(status, errors::kNoSpace)) return status;
  return Error(errors::kNoSpace, absl::StrCat(status.message(), ": ", what_is_left));
}

absl::StatusOr<int> Backup(const Context& context) {
  ProgressBar bar(context.environment.err, context.progress_style());
  txn::BackupOptions options;
  options.data_directory = context.arguments[0];
  options.backup_directory = context.arguments[1];
  options.progress = [&](absl::string_view what, uint64_t done, uint64_t total) { bar.Show(what, done, total); };
  const auto report = txn::BackUpLog(options);
  bar.Clear();
  if (!report.ok()) {
    return Explained(report.status(), "the backup is not finished; one that was there before is as it was");
  }
  for (const std::string& path : report->damaged_snapshots) {
    context.output.Note(
        absl::StrCat(path, " is damaged and was left out; the backup is whole without it. Look at the disk"));
  }
  context.output.Result(
      JsonObject()
          .Add("logId", absl::BytesToHexString(report->manifest.log_id))
          .Add("revision", report->manifest.revision)
          .Add("filesCopied", report->files_copied)
          .Add("bytesCopied", report->bytes_copied)
          .Add("filesReused", report->files_reused)
          .Add("bytesReused", report->bytes_reused)
          .Add("damagedSnapshots", uint64_t{report->damaged_snapshots.size()})
          .ToString(),
      absl::StrCat("backed up to revision ", report->manifest.revision, ": copied ", report->bytes_copied, " bytes in ",
                   report->files_copied, " files, ", report->bytes_reused, " bytes in ", report->files_reused,
                   " files were there already"));
  return kSuccess;
}

std::string HistoryText(const txn::CopyReport& copy) {
  if (copy.snapshot_revision == 0) return "with all of its history";
  if (copy.transactions == 0) return "without history";
  return absl::StrCat("with its history from revision ", copy.snapshot_revision + 1);
}

absl::StatusOr<int> Restore(const Context& context) {
  ProgressBar bar(context.environment.err, context.progress_style());
  txn::RestoreOptions options;
  options.backup_directory = context.arguments[0];
  options.data_directory = context.arguments[1];
  options.progress = [&](absl::string_view what, uint64_t done, uint64_t total) { bar.Show(what, done, total); };
  const auto report = txn::RestoreLog(options);
  bar.Clear();
  if (!report.ok()) return Explained(report.status(), "nothing was restored, and nothing was left behind");
  const std::string log_id = absl::BytesToHexString(report->log_id);
  context.output.Result(JsonObject()
                            .Add("logId", log_id)
                            .Add("restoredFrom", absl::BytesToHexString(report->manifest.log_id))
                            .Add("revision", report->copy.revision)
                            .Add("epoch", report->copy.epoch)
                            .Add("snapshotRevision", report->copy.snapshot_revision)
                            .Add("transactions", report->copy.transactions)
                            .ToString(),
                        absl::StrCat("restored revision ", report->copy.revision, " ", HistoryText(report->copy),
                                     ", as the new ledger ", log_id));
  return kSuccess;
}

std::string LossText(const txn::Loss& loss) {
  std::string text = absl::StrCat("lost       ", loss.path, " at ", loss.offset, ", ");
  if (loss.changed_up_to > 0) {
    absl::StrAppend(&text, "keys last changed up to revision ", loss.changed_up_to);
  } else if (loss.first_revision == 0) {
    absl::StrAppend(&text, "no revision");
  } else if (loss.last_revision == 0) {
    absl::StrAppend(&text, "what followed revision ", loss.first_revision - 1);
  } else {
    absl::StrAppend(&text, "revisions ", loss.first_revision, " to ", loss.last_revision);
  }
  return absl::StrCat(text, ": ", loss.what);
}

std::string LossJson(const txn::Loss& loss) {
  return JsonObject()
      .Add("file", loss.path)
      .Add("offset", loss.offset)
      .Add("firstRevision", loss.first_revision)
      .Add("lastRevision", loss.last_revision)
      .Add("changedUpTo", loss.changed_up_to)
      .Add("what", loss.what)
      .ToString();
}

std::string SalvageText(const txn::SalvageReport& report) {
  std::string text;
  for (const txn::Loss& loss : report.losses) absl::StrAppend(&text, LossText(loss), "\n");
  for (const txn::DoubtfulKey& key : report.doubtful_keys) {
    absl::StrAppend(&text, "doubtful   ", TypeName(key.type), " ", OnOneLine(key.key), ", last changed by revision ",
                    key.revision, "\n");
  }
  if (report.losses.empty()) absl::StrAppend(&text, "nothing was lost\n");
  return absl::StrCat(text, "salvaged revision ", report.copy.revision, " ", HistoryText(report.copy),
                      ", as the new ledger ", absl::BytesToHexString(report.log_id));
}

std::string SalvageJson(const txn::SalvageReport& report) {
  const auto join_losses = [](std::string* out, const txn::Loss& loss) { *out += LossJson(loss); };
  const auto join_keys = [](std::string* out, const txn::DoubtfulKey& key) {
    *out += JsonObject().Add("type", TypeName(key.type)).Add("key", key.key).Add("revision", key.revision).ToString();
  };
  return JsonObject()
      .Add("logId", absl::BytesToHexString(report.log_id))
      .Add("revision", report.copy.revision)
      .Add("epoch", report.copy.epoch)
      .Add("snapshotRevision", report.copy.snapshot_revision)
      .Add("transactions", report.copy.transactions)
      .AddJson("lost", absl::StrCat("[", absl::StrJoin(report.losses, ",", join_losses), "]"))
      .AddJson("doubtfulKeys", absl::StrCat("[", absl::StrJoin(report.doubtful_keys, ",", join_keys), "]"))
      .ToString();
}

absl::StatusOr<int> Salvage(const Context& context) {
  ProgressBar bar(context.environment.err, context.progress_style());
  txn::SalvageOptions options;
  options.data_directory = context.arguments[0];
  options.target_directory = context.arguments[1];
  options.progress = [&](absl::string_view what, uint64_t done, uint64_t total) { bar.Show(what, done, total); };
  const auto report = txn::SalvageLog(options);
  bar.Clear();
  if (!report.ok()) return Explained(report.status(), "nothing was made, and nothing was left behind");
  context.output.Result(SalvageJson(*report), SalvageText(*report));
  return kSuccess;
}

}  // namespace

std::vector<Command> LogBackupCommands() {
  return {
      {.name = "log backup",
       .arguments = "DIR BACKUP",
       .summary = "back up a file ledger, which may be in use",
       .details =
           "DIR is the --data-dir of txn_server, which may be running: the backup is the ledger as it was at one\n"
           "revision. BACKUP is a directory: a new one, an empty one, or one with an earlier backup of the same\n"
           "ledger, which is renewed; what it has already is not copied again.\n"
           "Checks every byte, and refuses a damaged ledger. An interrupted backup leaves the one before.",
       .example = "kvs log backup .kvs/data /mnt/backup/kvs",
       .min_arguments = 2,
       .max_arguments = 2,
       .completion = Kind::kDirectory,
       .run = Backup},
      {.name = "log restore",
       .arguments = "BACKUP DIR",
       .summary = "make a file ledger of a backup",
       .details =
           "DIR must be missing or empty. Checks every byte of BACKUP first. DIR.partial is the ledger while it is\n"
           "being made, and is renamed in the end: DIR is there as a whole or not at all.\n"
           "The ledger has a new id, so that a kvs_server that used the old one goes on with reads alone. It may\n"
           "have what the backup lacks: save that with `kvs export` before it is started anew.",
       .example = "kvs log restore /mnt/backup/kvs /var/lib/kvs/ledger",
       .min_arguments = 2,
       .max_arguments = 2,
       .completion = Kind::kDirectory,
       .run = Restore},
      {.name = "log salvage",
       .arguments = "DIR TARGET",
       .summary = "make a file ledger of what can be read of a damaged one",
       .details = "For when there is no backup. DIR must not be in use, and is not changed; TARGET must be missing or\n"
                  "empty. Tells what was lost: file, offset and revisions. Keys are doubtful of which a change is\n"
                  "missing and that were only added to since; keys whose last change is missing nobody can tell.\n"
                  "Where transactions are missing, TARGET has the state and the history behind the last of them.",
       .example = "kvs log salvage .kvs/data /var/lib/kvs/salvaged",
       .min_arguments = 2,
       .max_arguments = 2,
       .completion = Kind::kDirectory,
       .run = Salvage},
  };
}

}  // namespace kvs::cli
