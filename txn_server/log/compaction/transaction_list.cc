#include "txn_server/log/compaction/transaction_list.h"

#include <google/protobuf/io/coded_stream.h>

#include <cstdint>

#include "common/model/transaction_codec.h"
#include "txn/v1/transaction.pb.h"

namespace kvs::txn {
namespace {

// The fields of a TransactionList, length-delimited.
constexpr char kEntryTag = 0x0A;    // transactions
constexpr char kRequestTag = 0x12;  // requests

// A message is built in an arena that is emptied for the next one when it has grown past this.
constexpr size_t kArenaBytes = 256 * 1024;

absl::Status Malformed() { return absl::DataLossError("these bytes are no list of transactions"); }

}  // namespace

void TransactionListReader::Reset(absl::string_view list) { rest_ = list; }

absl::StatusOr<absl::string_view> TransactionListReader::TakeMessage(absl::string_view* entry) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(rest_.data() + 1),
                                            static_cast<int>(rest_.size() - 1));
  uint32_t size = 0;
  if (!in.ReadVarint32(&size)) return Malformed();
  const size_t begin = 1 + static_cast<size_t>(in.CurrentPosition());
  if (size > rest_.size() - begin) return Malformed();
  *entry = rest_.substr(0, begin + size);
  rest_.remove_prefix(begin + size);
  return entry->substr(begin);
}

absl::StatusOr<std::optional<TransactionListReader::Item>> TransactionListReader::Next() {
  using google::protobuf::Arena;
  const auto parse = [](auto* stored, absl::string_view message) {
    return stored->ParseFromArray(message.data(), static_cast<int>(message.size()));
  };
  while (!rest_.empty()) {
    const char tag = rest_.front();
    if (tag != kEntryTag && (tag != kRequestTag || !on_request_)) return Malformed();
    absl::string_view entry;
    const auto message = TakeMessage(&entry);
    if (!message.ok()) return message.status();
    if (arena_.SpaceUsed() > kArenaBytes) arena_.Reset();
    if (tag == kEntryTag) {
      auto* stored = Arena::CreateMessage<::txn::v1::Transaction>(&arena_);
      if (!parse(stored, *message)) return Malformed();
      auto transaction = Decode(*stored);
      if (!transaction.ok()) return transaction.status();
      return Item{*std::move(transaction), entry};
    }
    auto* stored = Arena::CreateMessage<::txn::v1::RememberedRequest>(&arena_);
    if (!parse(stored, *message)) return Malformed();
    const auto request = Decode(*stored);
    if (!request.ok()) return request.status();
    if (absl::Status status = on_request_(*request); !status.ok()) return status;
  }
  return std::nullopt;
}

}  // namespace kvs::txn
