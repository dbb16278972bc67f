// What the checker has to know of operations of any verb: the keys, what tells one from all others, and the revisions
// in its result. By reflection, so that a new verb of the known kinds needs nothing here.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kvs/v1/batch.pb.h"
#include "txn/v1/transaction.pb.h"

namespace kvs::linearizability {

// "int_put", "keys_exists".
std::string VerbOf(const v1::BatchOperation& operation);

// The request inside of an operation, and the response inside of a result that is no error.
const google::protobuf::Message& RequestOf(const v1::BatchOperation& operation);
const google::protobuf::Message& ResponseOf(const v1::BatchResult& result);

// The result whose response is that of an operation of this kind.
google::protobuf::Message& MutableResponse(const v1::BatchOperation& operation, v1::BatchResult* result);

// Keys with their types, "int visits", in the order of the request.
std::vector<std::string> KeysOf(const v1::BatchOperation& operation);
std::string KeyOf(const ::txn::v1::Transaction& transaction);

// Whether it may change something, and whether it names itself by a request_id.
bool Mutates(const v1::BatchOperation& operation);
bool HasRequestId(const v1::BatchOperation& operation);

// The revisions that an operation took, as its result tells, in their order.
std::vector<uint64_t> TakenRevisions(const v1::BatchOperation& operation, const v1::BatchResult& result);

// What a result tells about the state that it was evaluated on.
struct Observation {
  std::string key;
  uint64_t revision = 0;  // of the key's last change; 0: it was absent; kAnyRevision: it was there
};
inline constexpr uint64_t kAnyRevision = ~uint64_t{0};
std::vector<Observation> ObservationsOf(const v1::BatchOperation& operation, const v1::BatchResult& result);
// The same of an operation that failed with an error that tells about the state; nothing for all other errors.
std::vector<Observation> ObservationsOf(const v1::BatchOperation& operation, const google::rpc::Status& error);
// What must be so for the operation not to fail.
std::vector<Observation> ConditionsOf(const v1::BatchOperation& operation);

// The index of the operation that the error of an atomic batch is about; 0 in any other error.
int FailedOperation(const google::rpc::Status& error);

// Numbers by which the ledger's transactions are found again. No other operation of the history has them: they are what
// is put in an int or added to it, or "u" and the number as a text, a member, the value of a field, or a request_id.
std::string UniqueText(uint64_t unique);
std::vector<uint64_t> UniquesOf(const v1::BatchOperation& operation);
std::vector<uint64_t> UniquesOf(const v1::BatchExecuteRequest& request);
// Of the operation that made a transaction; nothing for a delete without a request_id.
std::vector<uint64_t> UniquesOf(const ::txn::v1::Transaction& transaction);

}  // namespace kvs::linearizability
