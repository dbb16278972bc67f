// One stream of Batch.Pipeline.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "common/rpc/service.h"
#include "kvs/v1/batch.pb.h"
#include "kvs_server/api/batch_run.h"
#include "kvs_server/api/operations.h"
#include "kvs_server/api/responder.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

// The places of pipelines: so many may be open at a time. Thread-safe; used by one service.
class PipelinePlaces {
 public:
  // How many are taken.
  using Place = std::shared_ptr<const std::atomic<size_t>>;

  // One that is free again when it is let go of; null if all are taken.
  Place Take();

 private:
  const std::shared_ptr<std::atomic<size_t>> taken_ = std::make_shared<std::atomic<size_t>>(0);
};

// Runs each batch when it arrives, and writes its answer once it is durable and those of the batches before it have
// been written. Everything but the waits happens on the stream's loop.
class Pipeline final : public rpc::StreamHandler {
 public:
  // Keeps its place; all others outlive the stream.
  Pipeline(rpc::ServerStream* stream, Engine* engine, Responder* responder, const StoreOptions& options,
           PipelinePlaces::Place place);

  bool OnMessage(const grpc::ByteBuffer& message) override;
  void OnHalfClose() override;
  void OnWritten() override;
  void OnDrain() override;
  void OnDone() override { state_->pipeline = nullptr; }

 private:
  // A batch whose answer was not written yet.
  struct Answer {
    BatchOutcome outcome;
    grpc::ByteBuffer bytes;  // of a v1::BatchPipelineResponse
    size_t memory = 0;
    bool is_ready = false;
  };
  // Outlives the stream as long as a wait is under way. Of the stream's loop alone.
  struct State {
    Pipeline* pipeline = nullptr;
  };

  // Makes the answer to a message; returns the revision that it waits for.
  uint64_t Run(const grpc::ByteBuffer& message, Answer* answer);
  // The same for a batch of one operation with lists; nothing if it is another one, or fails as a whole.
  std::optional<uint64_t> RunLists(const grpc::ByteBuffer& message, Answer* answer);
  // Makes the answer that of a wait which ended too early.
  void GiveUp(Answer* answer);
  void Await(uint64_t number, uint64_t revision);
  void Ended(uint64_t number, Durability durability);
  void WriteReady();
  bool HasRoom() const;
  void NoteMemory() { stream_.NoteUntaken(memory_); }
  void FinishIfDone();

  rpc::ServerStream& stream_;
  Engine& engine_;
  Responder& responder_;
  const StoreOptions options_;
  const PipelinePlaces::Place place_;
  std::optional<std::string> actor_;  // known since the first message
  std::deque<Answer> answers_;
  uint64_t first_number_ = 0;  // of `answers_`, which are numbered
  std::deque<size_t> unsent_;  // the memory of answers that were written, and not handed to the transport yet
  size_t memory_ = 0;          // of all these
  bool is_reading_ = true;
  std::optional<grpc::Status> end_;  // how the stream ends when everything is answered
  const std::shared_ptr<State> state_;
};

}  // namespace kvs::server
