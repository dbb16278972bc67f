// History: what concurrent clients asked of a kvs_server, when, and what they were told.
#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "google/rpc/status.pb.h"
#include "kvs/v1/batch.pb.h"

namespace kvs::linearizability {

enum class CallKind : uint8_t {
  kSingle,       // one operation, as the call of its own method
  kAtomic,       // Batch.Execute with `atomic`
  kIndependent,  // Batch.Execute without
};

enum class Outcome : uint8_t {
  kAnswered,  // `response` has a BatchExecuteResponse; that of a single operation in the same form
  kFailed,    // `response` has a google.rpc.Status that tells about the state, such as that a key is absent
  kRefused,   // `response` has a google.rpc.Status that says that nothing was changed, and no more
  kUnknown,   // `response` has a google.rpc.Status: the call may have had its effect, or may still have it
};

// What a call ends with, or an operation of an independent batch, that is told this.
Outcome OutcomeOf(const absl::Status& status);

// Messages are kept serialized: there may be a million calls.
struct Call {
  uint32_t client = 0;
  CallKind kind = CallKind::kSingle;
  Outcome outcome = Outcome::kUnknown;
  // Both by one steady clock of one process, and no two times of a history are the same. Read before anything of the
  // call was sent, and after all of the answer had come, of the last attempt where the client made several.
  int64_t invoked_nanos = 0;
  int64_t returned_nanos = 0;
  std::string request;  // a BatchExecuteRequest
  std::string response;

  v1::BatchExecuteRequest Request() const { return Parsed<v1::BatchExecuteRequest>(request); }
  v1::BatchExecuteResponse Answer() const { return Parsed<v1::BatchExecuteResponse>(response); }
  google::rpc::Status Error() const { return Parsed<google::rpc::Status>(response); }

 private:
  template <class Message>
  static Message Parsed(const std::string& bytes) {
    Message message;
    message.ParseFromString(bytes);
    return message;
  }
};

// In the order in which they were invoked.
using History = std::vector<Call>;

// A call on a few lines: who, when, what, and what came of it.
std::string Describe(const History& history, size_t index);

}  // namespace kvs::linearizability
