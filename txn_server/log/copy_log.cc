#include "txn_server/log/copy_log.h"

#include <absl/strings/str_cat.h>

#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/limits.h"

namespace kvs::txn {
namespace {

// Gathers frames into groups, so that not each of them costs a sync.
class Appender {
 public:
  Appender(TxnLog& log, uint64_t epoch) : log_(log), epoch_(epoch) {}

  absl::Status Add(const Frame& frame) {
    if (!bytes_.empty() && bytes_.size() + frame.transactions.size() > kTargetFrameBytes) {
      if (absl::Status status = Flush(); !status.ok()) return status;
    }
    if (bytes_.empty()) group_.first_revision = frame.first_revision;
    group_.count += frame.count;
    bytes_.append(frame.transactions.data(), frame.transactions.size());
    return absl::OkStatus();
  }

  absl::Status Flush() {
    if (bytes_.empty()) return absl::OkStatus();
    group_.transactions = bytes_;
    const absl::Status status = log_.Append(epoch_, {group_});
    group_ = Frame();
    bytes_.clear();
    return status;
  }

 private:
  TxnLog& log_;
  const uint64_t epoch_;
  Frame group_;
  std::string bytes_;
};

absl::StatusOr<uint64_t> CopyTransactions(LogCursor& source, const LogPosition& position, TxnLog& target,
                                          const ProgressFunction& progress) {
  Appender appender(target, position.epoch);
  uint64_t count = 0;
  while (true) {
    const auto frame = source.Next();
    if (!frame.ok()) return frame.status();
    if (!*frame) break;
    if (absl::Status status = appender.Add(**frame); !status.ok()) return status;
    count += (*frame)->count;
    if (progress) progress("copying revisions", (*frame)->last_revision(), position.durable_revision);
  }
  if (absl::Status status = appender.Flush(); !status.ok()) return status;
  return count;
}

}  // namespace

absl::StatusOr<CopyReport> CopyLog(const LogPosition& position, StateReplay history, TxnLog& target,
                                   const ProgressFunction& progress) {
  CopyReport report;
  report.revision = position.durable_revision;
  report.epoch = position.epoch;
  if (position.epoch == 0) return report;
  report.snapshot_revision = history.snapshot_revision;
  report.snapshot_transactions = history.snapshot_transactions;
  const LogSeed seed{history.snapshot_revision, position.epoch, position.writer_id, history.snapshot_time_micros};
  if (absl::Status status = target.Import(seed, std::move(history.snapshot)); !status.ok()) return status;
  const auto transactions = CopyTransactions(*history.tail, position, target, progress);
  if (!transactions.ok()) return transactions.status();
  report.transactions = *transactions;
  const uint64_t reached = target.position().durable_revision;
  if (reached != position.durable_revision) {
    return Error(errors::kDamagedLog, absl::StrCat("the log should end with revision ", position.durable_revision,
                                                   " but ends with ", reached));
  }
  return report;
}

absl::StatusOr<CopyReport> CopyLog(TxnLog& source, TxnLog& target, const ProgressFunction& progress) {
  const LogPosition position = source.position();
  auto history = source.ReplayHistory();
  if (!history.ok()) return history.status();
  return CopyLog(position, *std::move(history), target, progress);
}

}  // namespace kvs::txn
