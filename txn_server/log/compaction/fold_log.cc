#include "txn_server/log/compaction/fold_log.h"

#include <utility>
#include <vector>

#include "common/model/transaction_list.h"
#include "txn_server/log/compaction/change_table.h"

namespace kvs::txn {
namespace {

// How many transactions are handled between two questions whether to go on.
constexpr uint64_t kAskEvery = 1024;

class LogFolder {
 public:
  LogFolder(std::unique_ptr<SnapshotCursor> snapshot, const FoldLogOptions& options) : options_(options) {
    sources_.push_back(std::move(snapshot));
  }

  absl::Status Read(LogCursor& log) {
    while (true) {
      const auto frame = log.Next();
      if (!frame.ok()) return frame.status();
      if (!*frame) break;
      if (absl::Status status = ReadFrame(**frame); !status.ok()) return status;
    }
    if (absl::Status status = table_.Fold(); !status.ok()) return status;
    if (!table_.empty()) sources_.push_back(table_.Read());
    return absl::OkStatus();
  }

  absl::Status WriteTo(SnapshotSink sink) {
    uint64_t entries = 0;
    const absl::Status merged = Merge(std::move(sources_), &requests_, [&](const SnapshotEntry& entry) {
      if (++entries % kAskEvery == 0 && options_.cancelled()) return absl::CancelledError("the fold was cancelled");
      return sink(entry);
    });
    result_.oldest_request = requests_.oldest_revision();
    return merged;
  }

  const FoldLogResult& result() const { return result_; }

 private:
  absl::Status ReadFrame(const Frame& frame) {
    list_.Reset(frame.transactions);
    while (true) {
      const auto item = list_.Next();
      if (!item.ok()) return item.status();
      if (!*item) return absl::OkStatus();
      const Transaction& transaction = (*item)->transaction;
      if (!table_.empty() && table_.memory_bytes() + (*item)->entry.size() > options_.table_bytes) {
        if (absl::Status status = MakeRoom(); !status.ok()) return status;
      }
      table_.Add(transaction, (*item)->entry);
      if (const auto request = RequestOf(transaction)) requests_.Add(*request);
      ++result_.transactions;
      result_.time_micros = transaction.time_micros;
      if (result_.transactions % kAskEvery == 0 && options_.cancelled()) {
        return absl::CancelledError("the fold was cancelled");
      }
    }
  }

  // Folding costs the same however little it frees, so that it is enough only if it frees much.
  absl::Status MakeRoom() {
    if (absl::Status status = table_.Fold(); !status.ok()) return status;
    if (table_.memory_bytes() <= options_.table_bytes / 2) return absl::OkStatus();
    auto run = options_.spill(*table_.Read());
    if (!run.ok()) return run.status();
    table_.Clear();
    sources_.push_back(*std::move(run));
    return absl::OkStatus();
  }

  const FoldLogOptions& options_;
  ChangeTable table_;
  RequestWindow requests_;
  TransactionListReader list_;
  std::vector<std::unique_ptr<SnapshotCursor>> sources_;
  FoldLogResult result_;
};

}  // namespace

absl::StatusOr<FoldLogResult> FoldLog(std::unique_ptr<SnapshotCursor> snapshot, LogCursor& log,
                                      const FoldLogOptions& options, SnapshotSink sink) {
  LogFolder folder(std::move(snapshot), options);
  if (absl::Status status = folder.Read(log); !status.ok()) return status;
  if (absl::Status status = folder.WriteTo(sink); !status.ok()) return status;
  return folder.result();
}

}  // namespace kvs::txn
