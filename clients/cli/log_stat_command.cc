// log stat: what a file ledger holds and takes, in numbers.
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <numeric>

#include "clients/cli/commands.h"
#include "clients/cli/exit_status.h"
#include "clients/cli/json.h"
#include "clients/cli/value_text.h"
#include "common/process/progress_bar.h"
#include "txn_server/log/file/log_stat.h"

namespace kvs::cli {
namespace {

using txn::LogStat;

uint64_t KeysOf(const LogStat& stat) { return std::accumulate(stat.keys.begin(), stat.keys.end(), uint64_t{0}); }

uint64_t BytesOf(const LogStat& stat) {
  return stat.segment_bytes + stat.spare_bytes + stat.snapshot_bytes + stat.ballast_bytes;
}

std::string RevisionsText(const LogStat& stat) {
  const uint64_t last = stat.scan.tip.last_revision;
  if (last == 0) return "none";
  const std::string newest = absl::StrCat("newest ", last, " of ", TimeText(stat.time_micros));
  if (stat.compacted_revision() == 0) return absl::StrCat(newest, ", history from 1");
  if (stat.compacted_revision() == last) return absl::StrCat(newest, ", no history");
  return absl::StrCat(newest, ", history from ", stat.compacted_revision() + 1);
}

std::string SnapshotsText(const LogStat& stat) {
  if (stat.scan.snapshots.empty()) return absl::StrCat("none, ", stat.since_snapshot_bytes, " bytes logged");
  return absl::StrCat(stat.scan.snapshots.size(), " in ", stat.snapshot_bytes, " bytes, the newest of revision ",
                      stat.snapshot_revision(), ", ", stat.since_snapshot_bytes, " bytes logged since");
}

std::string KeysText(const LogStat& stat) {
  std::string text = absl::StrCat(KeysOf(stat), ":");
  for (const ValueType type : kValueTypes) {
    absl::StrAppend(&text, type == kValueTypes.front() ? " " : ", ", TypeName(type), " ",
                    stat.keys[static_cast<size_t>(type)]);
  }
  return text;
}

std::string StatText(const LogStat& stat) {
  std::string text = absl::StrCat("log        ", absl::BytesToHexString(stat.scan.log_id), ", epoch ",
                                  stat.scan.tip.epoch, stat.live ? ", in use" : "", "\n");
  absl::StrAppend(&text, "disk       ", BytesOf(stat), " bytes\n");
  absl::StrAppend(&text, "segments   ", stat.scan.segments.size(), " in ", stat.segment_bytes, " bytes, ",
                  stat.logged_bytes, " of them written; ", stat.scan.spares.size(), " spare in ", stat.spare_bytes,
                  " bytes\n");
  absl::StrAppend(&text, "snapshots  ", SnapshotsText(stat), "\n");
  absl::StrAppend(&text, "ballast    ", stat.ballast_bytes, " bytes\n");
  absl::StrAppend(&text, "revisions  ", RevisionsText(stat), "\n");
  absl::StrAppend(&text, "keys       ", KeysText(stat));
  for (const txn::DamagedSnapshot& damaged : stat.scan.damaged_snapshots) {
    absl::StrAppend(&text, "\ndamaged    ", damaged.path, ": look at the disk");
  }
  return text;
}

std::string StatJson(const LogStat& stat) {
  JsonObject keys;
  for (const ValueType type : kValueTypes) keys.Add(TypeName(type), stat.keys[static_cast<size_t>(type)]);
  return JsonObject()
      .Add("logId", absl::BytesToHexString(stat.scan.log_id))
      .Add("epoch", stat.scan.tip.epoch)
      .Add("live", stat.live)
      .Add("bytes", BytesOf(stat))
      .Add("segments", uint64_t{stat.scan.segments.size()})
      .Add("segmentBytes", stat.segment_bytes)
      .Add("loggedBytes", stat.logged_bytes)
      .Add("spares", uint64_t{stat.scan.spares.size()})
      .Add("spareBytes", stat.spare_bytes)
      .Add("snapshots", uint64_t{stat.scan.snapshots.size()})
      .Add("damagedSnapshots", uint64_t{stat.scan.damaged_snapshots.size()})
      .Add("snapshotBytes", stat.snapshot_bytes)
      .Add("snapshotRevision", stat.snapshot_revision())
      .Add("sinceSnapshotBytes", stat.since_snapshot_bytes)
      .Add("stateBytes", stat.state_bytes)
      .Add("ballastBytes", stat.ballast_bytes)
      .Add("lastRevision", stat.scan.tip.last_revision)
      .Add("compactedRevision", stat.compacted_revision())
      .Add("newestTime", stat.time_micros == 0 ? "" : TimeText(stat.time_micros))
      .AddJson("keys", keys.ToString())
      .ToString();
}

absl::StatusOr<int> Stat(const Context& context) {
  ProgressBar bar(context.environment.err, context.progress_style());
  const auto stat = txn::StatLog(context.arguments[0], [&](absl::string_view what, uint64_t done, uint64_t total) {
    bar.Show(what, done, total);
  });
  bar.Clear();
  if (!stat.ok()) return stat.status();
  context.output.Result(StatJson(*stat), StatText(*stat));
  return kSuccess;
}

}  // namespace

std::vector<Command> LogStatCommands() {
  return {
      {.name = "log stat",
       .arguments = "DIR",
       .summary = "tell what a file ledger holds and how much it takes",
       .details = "DIR is the --data-dir of txn_server, which may be running. Reads all of it and changes nothing.",
       .example = "kvs log stat .kvs/data",
       .min_arguments = 1,
       .max_arguments = 1,
       .completion = Kind::kDirectory,
       .run = Stat},
  };
}

}  // namespace kvs::cli
