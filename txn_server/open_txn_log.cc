#include "txn_server/open_txn_log.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include <string>
#include <utility>

#include "common/logging/logging.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/file/new_ledger.h"
#include "txn_server/log/file/read_only_log.h"
#include "txn_server/log/postgres/connection_string.h"
#include "txn_server/log/postgres/postgres_txn_log.h"
#include "txn_server/log/postgres/postgres_view.h"

namespace kvs::txn {
namespace {

absl::StatusOr<LogPosition> FillDatabase(const std::string& url, Retention retention,
                                         absl::FunctionRef<absl::Status(TxnLog& log)> fill) {
  PostgresTxnLogOptions options;
  options.url = url;
  options.is_import_target = true;
  options.compaction.retention = retention;
  auto log = OpenPostgresTxnLog(options);
  if (!log.ok()) return log.status();
  if (absl::Status status = fill(**log); !status.ok()) return status;
  const LogPosition position = (*log)->position();
  if (absl::Status status = (*log)->Close(); !status.ok()) return status;
  log->reset();
  if (absl::Status status = FinishPostgresImport(url); !status.ok()) return status;
  return position;
}

absl::string_view MadeSnapshot(uint64_t failed_attempts) {
  return failed_attempts == 0 ? "made a snapshot" : "made a snapshot again, after attempts that failed";
}

// Only a change is news: it is tried again and again.
CompactionFailed TellFailure(absl::string_view consequence) {
  return
      [message = absl::StrCat("could not make a snapshot, ", consequence)](const absl::Status& status, bool is_news) {
        Log(is_news ? LogLevel::kWarn : LogLevel::kDebug, message, {{"status", status}});
      };
}

}  // namespace

absl::StatusOr<std::unique_ptr<TxnLog>> OpenTxnLog(const Config& config) {
  switch (config.ledger) {
    case LedgerKind::kFile: {
      FileTxnLogOptions options;
      options.directory = config.data_dir;
      options.segment_bytes = config.segment_bytes;
      options.notice = [](const std::string& repaired) { LogWarn(repaired); };
      options.compaction = config.compaction;
      options.compacted = [](const CompactionReport& report) {
        LogInfo(MadeSnapshot(report.failed_attempts), {{"revision", report.snapshot.header.point.revision},
                                                       {"bytes", report.snapshot.header.file_bytes},
                                                       {"folded_transactions", report.folded_transactions},
                                                       {"removed_files", report.removed_files},
                                                       {"failed_attempts", report.failed_attempts},
                                                       {"duration", report.duration}});
      };
      options.compaction_failed = TellFailure("the log goes on growing");
      return OpenFileTxnLog(options);
    }
    case LedgerKind::kPostgres: {
      PostgresTxnLogOptions options;
      options.url = config.postgres_url;
      options.migrate = config.migrate;
      options.notice = [](const std::string& notice) { LogWarn(notice); };
      options.compaction = config.compaction;
      options.compacted = [](const PostgresCompactionReport& report) {
        LogInfo(MadeSnapshot(report.failed_attempts), {{"revision", report.snapshot.revision},
                                                       {"bytes", report.snapshot.bytes},
                                                       {"folded_transactions", report.folded_transactions},
                                                       {"compacted_revision", report.compacted_revision},
                                                       {"failed_attempts", report.failed_attempts},
                                                       {"duration", report.duration}});
      };
      options.compaction_failed = TellFailure("the next start takes longer");
      return OpenPostgresTxnLog(options);
    }
  }
  return absl::InvalidArgumentError("no such kind of ledger");
}

absl::StatusOr<LedgerName> ParseLedgerName(absl::string_view text) {
  constexpr absl::string_view kExpected = "expected file:DIR or postgres:URL";
  LedgerName name;
  const bool is_url = absl::StartsWith(text, "postgres://") || absl::StartsWith(text, "postgresql://");
  if (is_url || absl::ConsumePrefix(&text, "postgres:")) {
    name.kind = LedgerKind::kPostgres;
  } else if (!absl::ConsumePrefix(&text, "file:") && absl::StrContains(text, ':')) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no kind of ledger \"", text.substr(0, text.find(':')), "\": ", kExpected));
  }
  name.place = std::string(text);
  if (name.place.empty() && name.kind == LedgerKind::kFile) return absl::InvalidArgumentError(kExpected);
  return name;
}

absl::StatusOr<SourceLog> ReadSourceLog(const LedgerName& name) {
  SourceLog source;
  switch (name.kind) {
    case LedgerKind::kFile: {
      auto log = OpenReadOnlyLog(name.place);
      if (!log.ok()) return log.status();
      auto history = (*log)->ReplayHistory();
      if (!history.ok()) return history.status();
      source.position = (*log)->position();
      source.history = *std::move(history);
      source.log = *std::move(log);
      return source;
    }
    case LedgerKind::kPostgres: {
      auto read = ReadPostgresSource(name.place);
      if (!read.ok()) return read.status();
      source.position = read->position;
      source.history = std::move(read->history);
      return source;
    }
  }
  return absl::InvalidArgumentError("no such kind of ledger");
}

absl::StatusOr<LogPosition> MakeTargetLog(const LedgerName& name, const TargetOptions& options,
                                          absl::FunctionRef<absl::Status(TxnLog& log)> fill) {
  switch (name.kind) {
    case LedgerKind::kFile:
      return CreateLedger({name.place, options.segment_bytes}, fill);
    case LedgerKind::kPostgres:
      return FillDatabase(name.place, options.retention, fill);
  }
  return absl::InvalidArgumentError("no such kind of ledger");
}

}  // namespace kvs::txn
