// Verbs: what each mutation makes of a value. Pure functions: the value as it is (null where the key is absent) and the
// operands in; the answer and the operation to log out. A mutation without an operation changes nothing and is not
// logged.
//
// Operands were checked at the border (kvs_server/api/request_checks.h); limits that depend on the value are checked
// here. The operation borrows from the operands.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/model/transaction.h"
#include "common/model/value.h"

namespace kvs::server::verbs {

template <class T>
struct Incremented {
  T previous{};
  T value{};
  std::optional<Operation> operation;
};

// An absent key counts from 0. kOverflow if the result is out of range, or not finite.
absl::StatusOr<Incremented<int64_t>> Increment(const int64_t* current, int64_t delta);
absl::StatusOr<Incremented<double>> Increment(const double* current, double delta);
absl::StatusOr<Incremented<uint64_t>> Increment(const uint64_t* current, uint64_t delta);
absl::StatusOr<Incremented<uint64_t>> Decrement(const uint64_t* current, uint64_t delta);

struct Appended {
  uint64_t size_bytes = 0;
  std::optional<Operation> operation;
};

// kResultTooLarge past kMaxValueBytes.
absl::StatusOr<Appended> Append(const StringValue* current, absl::string_view text);

// How a collection changed: `changed` members or fields are new, or gone; `size` is how many there are afterwards.
struct Resized {
  uint64_t changed = 0;
  uint64_t size = 0;
  std::optional<Operation> operation;
};

// Whether a value may be put: kCollectionTooLarge for a set or a map past `max_bytes`.
absl::Status CheckPut(const ValueView& value, size_t max_bytes);

// Operands are without repetition, in byte order. kCollectionTooLarge past `max_bytes`.
absl::StatusOr<Resized> AddMembers(const SetValue* current, const Texts& members, size_t max_bytes);
Resized RemoveMembers(const SetValue* current, const Texts& members);
absl::StatusOr<Resized> PutFields(const MapValue* current, Fields fields, size_t max_bytes);
Resized RemoveFields(const MapValue* current, const Texts& names);

}  // namespace kvs::server::verbs
