// Many operations in one message: proto/kvs/v1/batch.proto says what a batch may hold and what it promises.
//
//   v1::BatchExecuteRequest transfer;
//   transfer.set_atomic(true);
//   auto* from = transfer.add_operations()->mutable_int_increment();
//   from->set_key("account-1");
//   from->set_delta(-7);
//   ...
//   const auto done = client.batch().Execute(transfer);
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "clients/cpp/options.h"
#include "common/limits.h"
#include "kvs/v1/batch.pb.h"

namespace kvs::client {

class Connection;

// What the operations of one batch may take together, serialized: a request with what encloses them.
inline constexpr size_t kMaxBatchBytes = kMaxRequestBytes - 64 * kKiB;

// A stream of batches: they are sent one after the other, without waiting for answers, which come in the same order.
// One thread may send while another one receives. The server reads on only as answers are received: who sends more than
// a few without ever receiving waits for ever.
class Pipeline {
 public:
  Pipeline(Pipeline&&) noexcept;
  // Cancels the stream if it is not finished; what was sent may have been done or not.
  ~Pipeline();

  // False if the stream is over; Finish tells why.
  bool Send(const v1::BatchExecuteRequest& request);
  // No more batches come.
  void CloseSending();
  // The answer to the next batch; nothing if the stream is over.
  std::optional<absl::StatusOr<v1::BatchExecuteResponse>> Receive();
  // How the stream ended: OK if everything that was sent was answered. After Receive has told nothing.
  absl::Status Finish();

 private:
  friend class Batch;
  struct Stream;
  explicit Pipeline(std::unique_ptr<Stream> stream);

  std::unique_ptr<Stream> stream_;
};

class Batch {
 public:
  explicit Batch(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  // The error of an atomic batch is that of its first operation that failed, which FailedOperation names. An
  // independent batch has its errors in its results. Repeated as a read if no operation changes anything. Otherwise an
  // atomic one is repeated as a mutation, under a request_id that is made up if it has none; an independent one as a
  // mutation with a request_id only if all of its mutations were given one.
  //
  // Of an independent batch, operations whose results say that nothing was done and that this may pass are repeated as
  // calls of their own would be, and so are those after them, as long as nothing after them was changed: the operations
  // keep their order. What is not settled when the time is over has its error in the results.
  absl::StatusOr<v1::BatchExecuteResponse> Execute(const v1::BatchExecuteRequest& request,
                                                   const CallOptions& = {}) const;

  // A stream of batches. Nothing in it is repeated; it may last as long as it likes.
  Pipeline OpenPipeline() const;

 private:
  absl::StatusOr<v1::BatchExecuteResponse> ExecuteIndependent(const v1::BatchExecuteRequest& request,
                                                              const CallOptions& options) const;

  std::shared_ptr<const Connection> connection_;
};

// The error of one operation of an independent batch; OK if it succeeded.
absl::Status StatusOf(const v1::BatchResult& result);

// The index of the operation that an atomic batch failed at; nothing for other errors.
std::optional<int> FailedOperation(const absl::Status& status);

}  // namespace kvs::client
