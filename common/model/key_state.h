// KeyState: one key as a snapshot keeps it, between the transactions that made it and those that put it back.
//
// A snapshot is a list of transactions, sorted by type and then by the bytes of the key, that gives the state when it
// is applied to an empty store. A key is one Put of its value, with the revision, time and actor of its last change,
// its expiry, and 0 as previous revision. A collection that is larger than kSnapshotPartBytes goes on in transactions
// that add the rest of its members or fields; they have the same revision, also as previous revision, and the same
// expiry.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/model/transaction.h"
#include "common/model/value.h"

namespace kvs {

// The members, or names and values, that one transaction of a snapshot carries, but for a single field that is larger.
inline constexpr size_t kSnapshotPartBytes = 256 * 1024;

// DataLoss: a change of a key of this type names another change before it than the one that is there, 0 for none.
absl::Status WrongChangeBefore(uint64_t revision, ValueType type, uint64_t previous_revision, uint64_t is);

// Used by one thread.
class KeyState {
 public:
  bool present() const { return revision_ != 0; }
  // Of the last change, 0 if the key is absent.
  uint64_t revision() const { return revision_; }
  // When the key expires, 0 if it does not.
  int64_t expires_at_micros() const { return expires_at_micros_; }
  // REQUIRES: present.
  const Value& value() const { return value_; }

  // Changes the state as the transaction says, which is of this key. DataLoss, naming the revision, if it does not
  // follow from the state.
  absl::Status Apply(const Transaction& transaction);

  // Calls `emit` with the transactions that put the key back, of which there is none if it is absent.
  void ForEachTransaction(absl::string_view key, absl::FunctionRef<void(const Transaction&)> emit) const;

 private:
  Value value_;
  uint64_t revision_ = 0;
  int64_t time_micros_ = 0;
  int64_t expires_at_micros_ = 0;
  std::string actor_;
};

// The order of snapshots: below 0 if a comes first, 0 if they are the same key.
inline int Compare(ValueType a_type, absl::string_view a_key, ValueType b_type, absl::string_view b_key) {
  if (a_type != b_type) return a_type < b_type ? -1 : 1;
  return a_key.compare(b_key);
}
inline bool Precedes(ValueType a_type, absl::string_view a_key, ValueType b_type, absl::string_view b_key) {
  return Compare(a_type, a_key, b_type, b_key) < 0;
}

}  // namespace kvs
