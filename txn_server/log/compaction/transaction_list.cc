#include "txn_server/log/compaction/transaction_list.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstdint>

#include "common/model/transaction_codec.h"
#include "txn/v1/transaction.pb.h"

namespace kvs::txn {
namespace {

constexpr char kEntryTag = 0x0A;  // TransactionList.transactions, length-delimited

// A message is built in an arena that is emptied for the next one when it has grown past this.
constexpr size_t kArenaBytes = 256 * 1024;

absl::Status Malformed() { return absl::DataLossError("these bytes are no list of transactions"); }

}  // namespace

void TransactionListReader::Reset(absl::string_view list) { rest_ = list; }

absl::StatusOr<std::optional<TransactionListReader::Item>> TransactionListReader::Next() {
  if (rest_.empty()) return std::nullopt;
  if (rest_.front() != kEntryTag) return Malformed();
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(rest_.data() + 1),
                                            static_cast<int>(rest_.size() - 1));
  uint32_t size = 0;
  if (!in.ReadVarint32(&size)) return Malformed();
  const size_t begin = 1 + static_cast<size_t>(in.CurrentPosition());
  if (size > rest_.size() - begin) return Malformed();
  if (arena_.SpaceUsed() > kArenaBytes) arena_.Reset();
  auto* stored = google::protobuf::Arena::CreateMessage<::txn::v1::Transaction>(&arena_);
  if (!stored->ParseFromArray(rest_.data() + begin, static_cast<int>(size))) return Malformed();
  auto transaction = Decode(*stored);
  if (!transaction.ok()) return transaction.status();
  Item item{*std::move(transaction), rest_.substr(0, begin + size)};
  rest_.remove_prefix(begin + size);
  return item;
}

}  // namespace kvs::txn
