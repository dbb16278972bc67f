#include "common/model/transaction_list.h"

#include "common/model/transaction_codec.h"
#include "common/model/wire.h"
#include "txn/v1/transaction.pb.h"

namespace kvs {
namespace {

using List = txn::v1::TransactionList;

absl::Status Malformed() { return absl::DataLossError("these bytes are no list of transactions"); }

}  // namespace

absl::StatusOr<TransactionListReader::Item*> TransactionListReader::Next() {
  while (!rest_.empty()) {
    wire::MessageField next;
    if (!wire::TakeMessage(&rest_, &next)) {
      rest_ = {};
      return Malformed();
    }
    if (next.field == List::kTransactionsFieldNumber) {
      absl::Status status = DecodeTransaction(next.message, &item_.transaction);
      if (!status.ok()) return status;
      item_.entry = next.bytes;
      return &item_;
    }
    if (next.field != List::kRequestsFieldNumber || !on_request_) return Malformed();
    const absl::StatusOr<RememberedRequest> request = DecodeRequest(next.message);
    if (!request.ok()) return request.status();
    if (absl::Status status = on_request_(*request); !status.ok()) return status;
  }
  return nullptr;
}

}  // namespace kvs
