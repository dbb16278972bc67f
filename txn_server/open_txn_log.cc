#include "txn_server/open_txn_log.h"

#include <absl/strings/str_cat.h>

#include <string>

#include "common/logging/logging.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/file/new_ledger.h"
#include "txn_server/log/file/read_only_log.h"
#include "txn_server/log/postgres/postgres_txn_log.h"

namespace kvs::txn {

absl::StatusOr<std::unique_ptr<TxnLog>> OpenTxnLog(const Config& config) {
  switch (config.ledger) {
    case LedgerKind::kFile: {
      FileTxnLogOptions options;
      options.directory = config.data_dir;
      options.segment_bytes = config.segment_bytes;
      options.notice = [](const std::string& repaired) { LogWarn(repaired); };
      options.compaction = config.compaction;
      options.compacted = [](const CompactionReport& report) {
        LogInfo("made a snapshot", {{"revision", report.snapshot.header.point.revision},
                                    {"bytes", report.snapshot.header.file_bytes},
                                    {"folded_transactions", report.folded_transactions},
                                    {"removed_files", report.removed_files},
                                    {"duration", report.duration}});
      };
      return OpenFileTxnLog(options);
    }
    case LedgerKind::kPostgres: {
      PostgresTxnLogOptions options;
      options.url = config.postgres_url;
      options.migrate = config.migrate;
      options.notice = [](const std::string& notice) { LogWarn(notice); };
      options.compaction = config.compaction;
      options.compacted = [](const PostgresCompactionReport& report) {
        LogInfo("made a snapshot", {{"revision", report.snapshot.revision},
                                    {"bytes", report.snapshot.bytes},
                                    {"folded_transactions", report.folded_transactions},
                                    {"compacted_revision", report.compacted_revision},
                                    {"duration", report.duration}});
      };
      return OpenPostgresTxnLog(options);
    }
  }
  return absl::InvalidArgumentError("no such kind of ledger");
}

absl::StatusOr<LedgerName> ParseLedgerName(absl::string_view text) {
  LedgerName name;
  const size_t colon = text.find(':');
  const absl::string_view kind = colon == absl::string_view::npos ? "file" : text.substr(0, colon);
  if (kind != "file") {
    return absl::InvalidArgumentError(absl::StrCat("there is no kind of ledger \"", kind, "\": expected file:DIR"));
  }
  name.place = std::string(colon == absl::string_view::npos ? text : text.substr(colon + 1));
  if (name.place.empty()) return absl::InvalidArgumentError("expected file:DIR");
  return name;
}

absl::StatusOr<std::unique_ptr<TxnLog>> OpenSourceLog(const LedgerName& name) {
  switch (name.kind) {
    case LedgerKind::kFile:
      return OpenReadOnlyLog(name.place);
  }
  return absl::InvalidArgumentError("no such kind of ledger");
}

absl::StatusOr<LogPosition> MakeTargetLog(const LedgerName& name, uint64_t segment_bytes,
                                          absl::FunctionRef<absl::Status(TxnLog& log)> fill) {
  switch (name.kind) {
    case LedgerKind::kFile:
      return CreateLedger({name.place, segment_bytes}, fill);
  }
  return absl::InvalidArgumentError("no such kind of ledger");
}

}  // namespace kvs::txn
