// A transaction of each operation and type, encoded.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/model/transaction_codec.h"

namespace kvs::fuzz {

struct SampleOperation {
  std::string name;
  std::string entry;  // of a serialized txn.v1.TransactionList
};

// With consecutive revisions from 1, of keys of their own but for what changes a key that is there.
inline std::vector<SampleOperation> SampleOperations() {
  struct Sample {
    const char* name;
    ValueType type;
    uint64_t previous;
    Operation operation;
  };
  using Cause = operation::Delete::Cause;
  const std::vector<Sample> samples = {
      {"put_int", ValueType::kInt, 0, operation::Put{int64_t{-7}}},
      {"put_uint", ValueType::kUint, 0, operation::Put{uint64_t{7}}},
      {"put_float", ValueType::kFloat, 0, operation::Put{0.5}},
      {"put_string", ValueType::kString, 0, operation::Put{absl::string_view("text")}},
      {"put_set", ValueType::kSet, 0, operation::Put{Texts{"a", "b"}}},
      {"put_map", ValueType::kMap, 0, operation::Put{Fields{{"n", "v"}, {"o", ""}}}},
      {"increment_int", ValueType::kInt, 1, operation::IntIncrement{3, -4}},
      {"decrement_uint", ValueType::kUint, 2, operation::UintIncrement{2, true, 5}},
      {"increment_float", ValueType::kFloat, 3, operation::FloatIncrement{0.25, 0.75}},
      {"append", ValueType::kString, 4, operation::Append{"more"}},
      {"add_members", ValueType::kSet, 5, operation::AddMembers{{"c"}}},
      {"put_fields", ValueType::kMap, 6, operation::PutFields{{{"p", "w"}}}},
      {"remove_members", ValueType::kSet, 11, operation::RemoveMembers{{"a"}}},
      {"remove_fields", ValueType::kMap, 12, operation::RemoveFields{{"o"}}},
      {"set_expiry", ValueType::kInt, 7, operation::SetExpiry{ValueView(int64_t{-4})}},
      {"delete", ValueType::kUint, 8, operation::Delete{Cause::kRequested}},
      {"expire", ValueType::kFloat, 9, operation::Delete{Cause::kExpired}},
  };
  std::vector<SampleOperation> encoded;
  for (const Sample& sample : samples) {
    Transaction transaction;
    transaction.revision = encoded.size() + 1;
    transaction.time_micros = 1'700'000'000'000'000;
    transaction.previous_revision = sample.previous;
    transaction.actor = "spiffe://kvs/client/test";
    transaction.type = sample.type;
    transaction.key = "key";
    transaction.operation = sample.operation;
    if (transaction.revision % 5 == 0) {
      transaction.expires_at_micros = 1'800'000'000'000'000;
      transaction.request = RequestInfo{"request", Answer{17, 1, "answer"}};
    }
    EncodedTransaction entry(transaction);
    entry.Stamp(transaction.revision, transaction.time_micros);
    encoded.push_back({sample.name, entry.bytes()});
  }
  return encoded;
}

}  // namespace kvs::fuzz
