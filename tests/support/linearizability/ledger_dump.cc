#include "tests/support/linearizability/ledger_dump.h"

#include <absl/status/status.h>

#include <utility>

#include "txn_server/log/file/log_inspector.h"

namespace kvs::linearizability {

absl::StatusOr<Ledger> ReadLedger(const std::string& directory) {
  Ledger ledger;
  bool is_readable = true;
  const auto report = txn::InspectLog(directory, [&](const txn::SegmentSummary&, const txn::StoredFrame& frame) {
    if (frame.header.kind != txn::FrameKind::kTransactions) return;
    ::txn::v1::TransactionList list;
    is_readable &= list.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size()));
    for (auto& transaction : *list.mutable_transactions()) ledger.push_back(std::move(transaction));
  });
  if (!report.ok()) return report.status();
  if (!report->verdict.ok()) return report->verdict;
  if (!is_readable) return absl::DataLossError("a frame holds something else than transactions");
  return ledger;
}

}  // namespace kvs::linearizability
