#include "txn_server/open_txn_log.h"

#include <string>

#include "common/logging/logging.h"
#include "txn_server/log/file/file_txn_log.h"

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
  }
  return absl::InvalidArgumentError("no such kind of ledger");
}

}  // namespace kvs::txn
