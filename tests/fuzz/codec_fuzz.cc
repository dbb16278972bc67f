// The codec of transactions, which is written by hand, against the one that protoc makes.
#include <string>

#include "common/model/transaction_codec.h"
#include "common/model/transaction_list.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/sample_operations.h"
#include "txn/v1/transaction.pb.h"

namespace kvs::fuzz::codec {

namespace pb = ::txn::v1;

// An entry as our code writes it has to read the same with generated code, which has to write the same bytes.
std::string MessageOf(const std::string& entry, bool has_time) {
  pb::TransactionList list;
  Require(list.ParseFromString(entry), "generated code cannot read what was encoded");
  // Ours writes the time of a transaction even where it is 0.
  Require(!has_time || list.SerializeAsString() == entry, "generated code encodes it otherwise");
  if (list.transactions_size() == 1) return list.transactions(0).SerializeAsString();
  Require(list.requests_size() == 1, "an entry is no list of one");
  return list.requests(0).SerializeAsString();
}

std::string Encoded(const Transaction& transaction) {
  EncodedTransaction encoded(transaction);
  encoded.Stamp(transaction.revision, transaction.time_micros);
  return MessageOf(encoded.bytes(), transaction.time_micros != 0);
}

// What is decoded, encoded again, has to be what is decoded from that.
std::string CheckRoundTrip(const Transaction& transaction) {
  const std::string once = Encoded(transaction);
  Transaction again;
  RequireOk(DecodeTransaction(once, &again), "what was encoded is not decoded");
  Require(Encoded(again) == once, "what was encoded is decoded otherwise");
  return once;
}

bool HasValue(const pb::Value& value) { return value.kind_case() != pb::Value::KIND_NOT_SET; }

bool IsGoodRequest(const pb::Request& request, uint64_t revision) {
  if (request.id().empty()) return false;
  return !request.has_answer() || (request.answer().revisions() != 0 && request.answer().revisions() <= revision);
}

// What DecodeTransaction accepts, said anew.
bool IsGood(const pb::Transaction& transaction) {
  if (transaction.revision() == 0 || transaction.key().empty()) return false;
  if (transaction.type() < pb::STORE_TYPE_INT || transaction.type() > pb::STORE_TYPE_MAP) return false;
  if (transaction.has_request() && !IsGoodRequest(transaction.request(), transaction.revision())) return false;
  switch (transaction.operation_case()) {
    case pb::Transaction::kPut:
      return HasValue(transaction.put());
    case pb::Transaction::kDelete:
      return transaction.delete_().cause() >= pb::Delete::CAUSE_REQUESTED &&
             transaction.delete_().cause() <= pb::Delete::CAUSE_EVICTED;
    case pb::Transaction::kSetExpiry:
      return !transaction.set_expiry().has_number() || HasValue(transaction.set_expiry().number());
    case pb::Transaction::OPERATION_NOT_SET:
      return false;
    default:
      return true;
  }
}

void CheckTransaction(absl::string_view bytes) {
  Transaction transaction;
  if (DecodeTransaction(bytes, &transaction).ok()) CheckRoundTrip(transaction);

  pb::Transaction generated;
  if (!generated.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  generated.DiscardUnknownFields();
  const std::string canonical = generated.SerializeAsString();
  const absl::Status status = DecodeTransaction(canonical, &transaction);
  Require(status.ok() == IsGood(generated), status.ok() ? "a bad transaction was accepted" : status.message());
  if (status.ok()) {
    Require(CheckRoundTrip(transaction) == canonical, "a transaction was decoded otherwise than by generated code");
  }
}

void CheckRequest(absl::string_view bytes) {
  const auto decoded = DecodeRequest(bytes);
  if (decoded.ok()) {
    const std::string once = MessageOf(Encode(*decoded), true);
    const auto again = DecodeRequest(once);
    RequireOk(again.status(), "a request that was encoded is not decoded");
    Require(MessageOf(Encode(*again), true) == once, "a request that was encoded is decoded otherwise");
  }
  pb::RememberedRequest generated;
  if (!generated.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  generated.DiscardUnknownFields();
  const std::string canonical = generated.SerializeAsString();
  const auto same = DecodeRequest(canonical);
  const bool is_good = generated.request().has_answer() && IsGoodRequest(generated.request(), generated.revision());
  Require(same.ok() == is_good, "a request is accepted that should not be, or the other way round");
  if (same.ok()) {
    Require(MessageOf(Encode(*same), true) == canonical, "a request was decoded otherwise than by generated code");
  }
}

// A reader of a list goes on behind what it cannot read, and comes to an end.
void CheckList(absl::string_view bytes) {
  uint64_t requests = 0;
  TransactionListReader reader([&requests](const RememberedRequest&) {
    ++requests;
    return absl::OkStatus();
  });
  reader.Reset(bytes);
  for (size_t steps = 0;; ++steps) {
    Require(steps <= bytes.size(), "a list has more entries than bytes");
    const auto item = reader.Next();
    if (!item.ok()) continue;
    if (!*item) break;
    CheckRoundTrip((*item)->transaction);
  }
}

void Run(absl::string_view input) {
  Pieces pieces(input);
  switch (pieces.Byte() % 3) {
    case 0:
      return CheckTransaction(pieces.rest());
    case 1:
      return CheckRequest(pieces.rest());
    default:
      return CheckList(pieces.rest());
  }
}

std::vector<Seed> MakeSeeds() {
  std::vector<Seed> seeds;
  for (const SampleOperation& sample : SampleOperations()) {
    pb::TransactionList list;
    Require(list.ParseFromString(sample.entry), "a sample is no list");
    seeds.push_back({"transaction_" + sample.name, '\0' + list.transactions(0).SerializeAsString()});
  }
  seeds.push_back({"list", '\2' + SampleOperations()[0].entry + SampleOperations()[1].entry +
                               Encode(RememberedRequest{9, 7, "actor", "id", Answer{5, 2, "response"}})});
  seeds.push_back(
      {"request", '\1' + MessageOf(Encode(RememberedRequest{9, 7, "actor", "id", Answer{5, 2, "r"}}), true)});
  return seeds;
}

const Registration registration("codec", Run, MakeSeeds);

}  // namespace kvs::fuzz::codec
