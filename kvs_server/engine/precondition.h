// Precondition: what must be true of a key for a mutation to happen. It is checked under the shard's lock, before the
// verb is evaluated.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <utility>

#include "common/errors.h"
#include "common/model/value.h"
#include "kvs/v1/common.pb.h"

namespace kvs::server {

class Precondition {
 public:
  // None: it always holds.
  constexpr Precondition() = default;
  static constexpr Precondition MustNotExist() { return {Kind::kMustNotExist, 0}; }
  static constexpr Precondition MustExist() { return {Kind::kMustExist, 0}; }
  // 0 means that the key is absent.
  static constexpr Precondition RevisionEquals(uint64_t revision) { return {Kind::kRevisionEquals, revision}; }

  // Whether it is about the revision, which only one key has.
  bool NeedsOneKey() const { return kind_ == Kind::kRevisionEquals; }
  // Whether it is about the revision of a key that is present.
  bool NeedsRevision() const { return kind_ == Kind::kRevisionEquals && revision_ != 0; }

  // Whether a key of this revision, 0 if it is absent, may be changed.
  bool Holds(uint64_t current_revision) const {
    switch (kind_) {
      case Kind::kNone:
        return true;
      case Kind::kMustNotExist:
        return current_revision == 0;
      case Kind::kMustExist:
        return current_revision != 0;
      case Kind::kRevisionEquals:
        return current_revision == revision_;
    }
    return false;
  }

  // The error of a precondition that does not hold, with a PreconditionFailure that shows a value of at most
  // kMaxDetailValueBytes. `current` is null for an absent key.
  // REQUIRES: !Holds(current_revision).
  template <class T>
  absl::Status Failure(uint64_t current_revision, const T* current) const {
    kvs::v1::PreconditionFailure failure;
    if (current && !Show(*current, failure.mutable_current_value())) {
      failure.clear_current_value();
      failure.set_value_omitted(true);
    }
    return MakeError(current_revision, std::move(failure));
  }
  // The same without a value: for several keys, with the newest of their revisions.
  absl::Status Failure(uint64_t newest_revision) const { return MakeError(newest_revision, {}); }
  // The same for a key that an earlier operation of the same batch changed: there is no state to show.
  absl::Status FailureWithin(bool exists) const;

 private:
  enum class Kind : uint8_t { kNone, kMustNotExist, kMustExist, kRevisionEquals };

  constexpr Precondition(Kind kind, uint64_t revision) : kind_(kind), revision_(revision) {}

  absl::Status MakeError(uint64_t current_revision, kvs::v1::PreconditionFailure failure) const;
  ErrorKind ErrorKindOf() const;
  std::string Describe(uint64_t current_revision) const;

  // Whether the value is small enough; otherwise `shown` is unspecified.
  static bool Show(int64_t value, kvs::v1::Value* shown);
  static bool Show(uint64_t value, kvs::v1::Value* shown);
  static bool Show(double value, kvs::v1::Value* shown);
  static bool Show(const StringValue& value, kvs::v1::Value* shown);
  static bool Show(const SetValue& value, kvs::v1::Value* shown);
  static bool Show(const MapValue& value, kvs::v1::Value* shown);

  Kind kind_ = Kind::kNone;
  uint64_t revision_ = 0;
};

}  // namespace kvs::server
