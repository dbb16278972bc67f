// Workload: random calls on few keys, with everything that makes them easy to find again and hard to answer wrongly.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

#include "kvs/v1/batch.pb.h"
#include "tests/support/linearizability/history.h"

namespace kvs::linearizability {

// Mutations carry unique numbers as operations.h has them; but for some deletes outside of batches, without a
// precondition, of which those of one key are all alike. What may fail in an atomic batch is about a key that no
// earlier operation touches, so that the error tells about the state before the batch.
class Workload {
 public:
  explicit Workload(uint64_t seed) : random_(seed) {}

  struct Request {
    CallKind kind = CallKind::kSingle;
    v1::BatchExecuteRequest batch;
  };
  Request Next();

  // A number below `bound`, from the same source.
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool OneIn(uint64_t count) { return Below(count) == 0; }

  // Takes the revisions of keys from an answer, for preconditions.
  void Learn(const Call& call);

 private:
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;

  // Where an operation stands.
  struct Place {
    CallKind kind = CallKind::kSingle;
    bool is_named = false;                     // whether the atomic batch has a request_id
    std::set<std::string>* touched = nullptr;  // keys of the operations before it in the atomic batch
  };

  v1::BatchOperation Operation(const Place& place);
  void Fill(const Place& place, const std::string& verb, const std::string& key, bool may_fail, Message* request);
  void FillField(const Field* field, const std::string& type, const std::string& key, Message* request);
  void FillPrecondition(const std::string& type_and_key, v1::Precondition* precondition);

  uint64_t Unique() { return ++last_unique_; }
  std::string SharedName();

  std::mt19937_64 random_;
  uint64_t last_unique_ = 0;
  std::map<std::string, uint64_t> revisions_;  // that were seen last, by keys as KeysOf tells them
};

}  // namespace kvs::linearizability
