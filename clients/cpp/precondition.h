// What must be true of a key for a mutation to happen, and what is there where it is not.
//
//   const auto stock = client.ints().Get("stock");
//   ...
//   const auto sold = client.ints().Put("stock", stock->value() - 3, {.precondition =
//   Precondition::Revision(stock->revision())}); if (const auto failure = PreconditionFailureOf(sold.status())) {
//     // somebody was faster: failure->current_revision(), failure->current_value().int_value()
//   }
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>

#include "kvs/v1/common.pb.h"

namespace kvs::client {

class Precondition {
 public:
  // The key must be absent, or the error is ALREADY_EXISTS (KEY_EXISTS).
  static Precondition Absent();
  // The key must be present, or the error is NOT_FOUND (KEY_NOT_FOUND).
  static Precondition Present();
  // The key's last change must be this revision, or the error is ABORTED (REVISION_MISMATCH); 0 means that it is
  // absent.
  static Precondition Revision(uint64_t revision);

  // As a request carries it.
  const v1::Precondition& proto() const { return proto_; }

 private:
  Precondition() = default;

  v1::Precondition proto_;
};

// What was there instead, for the error of a mutation whose precondition did not hold; nothing for any other. It is
// durable: the next attempt can begin with it.
std::optional<v1::PreconditionFailure> PreconditionFailureOf(const absl::Status& status);

}  // namespace kvs::client
