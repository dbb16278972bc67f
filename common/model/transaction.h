// Transaction: the effect that one mutation had on one key. It is the only thing that is logged, and applying
// transactions in order is the only way in which state changes; nothing is decided again.
//
// A Transaction borrows: its texts belong to the request or to the message that it was decoded from, and must outlive
// it.
#pragma once

#include <absl/strings/string_view.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "common/model/value.h"

namespace kvs {

// Without repetition, in byte order.
using Texts = std::vector<absl::string_view>;
// Without repetition, in byte order of the names.
using Fields = std::vector<std::pair<absl::string_view, absl::string_view>>;

// A value of any type as operands carry it; the alternatives stand in the order of ValueType.
using ValueView = std::variant<int64_t, uint64_t, double, absl::string_view, Texts, Fields>;

namespace operation {

// The key has this value now.
struct Put {
  ValueView value;
};
// The key is absent now.
struct Delete {
  enum class Cause { kRequested, kExpired, kEvicted };
  Cause cause = Cause::kRequested;
};
// The value stays as it is; the transaction's `expires_at_micros` is new. As every change of a number tells its value,
// so does this one; it has none for other types.
struct SetExpiry {
  std::optional<ValueView> number;
};
// A number changed by `delta` to `result`.
struct IntIncrement {
  int64_t delta = 0;
  int64_t result = 0;
};
struct UintIncrement {
  uint64_t delta = 0;
  bool decrement = false;  // `delta` was taken from the value
  uint64_t result = 0;
};
struct FloatIncrement {
  double delta = 0;
  double result = 0;
};
// A string grew at its end.
struct Append {
  absl::string_view text;
};
// A set gained members, none of which it had; or lost members, all of which it had.
struct AddMembers {
  Texts members;
};
struct RemoveMembers {
  Texts members;
};
// A map has these fields now, besides those it had; or lost fields, all of which it had.
struct PutFields {
  Fields fields;
};
struct RemoveFields {
  Texts names;
};

}  // namespace operation

using Operation =
    std::variant<operation::Put, operation::Delete, operation::IntIncrement, operation::UintIncrement,
                 operation::FloatIncrement, operation::Append, operation::AddMembers, operation::RemoveMembers,
                 operation::PutFields, operation::RemoveFields, operation::SetExpiry>;

// What is answered to a request that is sent again; see txn.v1.Answer.
struct Answer {
  uint64_t command_hash = 0;
  uint32_t revisions = 0;      // that the request took
  absl::string_view response;  // serialized
};

// The request that a transaction was made by.
struct RequestInfo {
  absl::string_view id;          // as the client called it; empty if it did not
  std::optional<Answer> answer;  // of the last of the request's transactions
};

struct Transaction {
  uint64_t revision = 0;           // from 1, without gaps
  int64_t time_micros = 0;         // since 1970 in UTC; never runs backwards
  uint64_t previous_revision = 0;  // of this key's change before, 0 if it was absent
  absl::string_view actor;         // empty if anonymous
  ValueType type = ValueType::kInt;
  absl::string_view key;
  uint32_t batch_remaining = 0;  // transactions that follow in the same atomic batch
  // When the key expires, as of this change: since 1970 in UTC; 0 if it does not, or is absent. Every change tells it.
  int64_t expires_at_micros = 0;
  Operation operation;
  RequestInfo request;
};

// A request that was answered, for its retries. It borrows as a Transaction does.
struct RememberedRequest {
  uint64_t revision = 0;    // of its last transaction
  int64_t time_micros = 0;  // of that
  absl::string_view actor;
  absl::string_view id;
  Answer answer;

  // Of its first transaction.
  uint64_t first_revision() const { return revision + 1 - answer.revisions; }
};

// The request whose last transaction this is, if it is to be remembered.
inline std::optional<RememberedRequest> RequestOf(const Transaction& transaction) {
  const RequestInfo& request = transaction.request;
  if (!request.answer) return std::nullopt;
  return RememberedRequest{transaction.revision, transaction.time_micros, transaction.actor, request.id,
                           *request.answer};
}

}  // namespace kvs
