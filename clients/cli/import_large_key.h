// Puts a set or a map that is too large for one atomic batch, step by step.
//
// Until the key is whole, a marker tells that it is not: a string with a name of its own, which each step puts right
// behind the key, and the last step deletes. So a part that an import has left when it broke off is told from a key
// that was there before: its marker has the next revision. The next import begins it anew, also with --if-absent.
//
// How long the key lives is set by the last step, so that it does not expire before it is whole.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/duration.pb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clients/cpp/client.h"
#include "kvs/v1/batch.pb.h"
#include "kvs/v1/common.pb.h"

namespace kvs::cli {

// What begins the name of a marker; the type and the key follow, as in "kvs:import:set:colors".
inline constexpr absl::string_view kImportMarkerPrefix = "kvs:import:";

class LargeKeyImport {
 public:
  // With `if_absent` a key that is there is left alone. The client outlives this.
  LargeKeyImport(const client::Client* client, v1::ValueType type, absl::string_view key, bool if_absent);

  // Does the next operations on the key, the first of which puts it. An error is that of client::Batch::Execute for
  // them.
  absl::Status Step(std::vector<v1::BatchOperation> operations, bool is_last);

  // Whether the key was there, so that the steps do nothing.
  bool is_left_alone() const { return is_left_alone_; }
  // Whether some of the key was put, or may have been.
  bool is_begun() const { return is_begun_; }
  // "set colors", as a part of a message.
  std::string Name() const;

 private:
  absl::Status Begin(std::vector<v1::BatchOperation> operations);
  absl::Status Send(const std::vector<v1::BatchOperation>& operations, bool is_last) const;
  // The revision of the key if it is what an import has left, by the error that tells that it is there.
  absl::StatusOr<std::optional<uint64_t>> RevisionOfLeftover(const absl::Status& key_exists) const;
  std::string MarkerName() const;

  const client::Client& client_;
  const v1::ValueType type_;
  const std::string key_;
  const bool if_absent_;
  std::optional<google::protobuf::Duration> ttl_;
  bool is_begun_ = false;
  bool is_left_alone_ = false;
};

}  // namespace kvs::cli
