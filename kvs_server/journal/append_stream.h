// AppendStream: one Append stream to the ledger, on one event loop. It deletes itself when its last operation is over.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/async_stream.h>

#include "common/rpc/event_loop.h"
#include "txn/v1/ledger.grpc.pb.h"

namespace kvs::server {

// Everything is called on the loop's thread.
class AppendStream {
 public:
  class Owner {
   public:
    // The ledger said something.
    virtual void OnAppendResponse(const ::txn::v1::AppendResponse& response) = 0;
    // Another message can be written.
    virtual void OnAppendWritable() = 0;
    // The stream is over; the last call.
    virtual void OnAppendClosed(const grpc::Status& status) = 0;

   protected:
    ~Owner() = default;
  };

  // Starts a stream whose first message is `attach`. `owner` outlives the stream.
  AppendStream(::txn::v1::Ledger::Stub* stub, rpc::EventLoop* loop, Owner* owner, const ::txn::v1::Attach& attach);
  AppendStream(const AppendStream&) = delete;
  AppendStream& operator=(const AppendStream&) = delete;

  bool writable() const { return writable_; }
  // REQUIRES: writable().
  void Write(const ::txn::v1::AppendRequest& request);

  // Ends the stream at once; the owner is told as usual.
  void Cancel() { context_.TryCancel(); }

 private:
  ~AppendStream() = default;

  void Started(bool ok);
  void Written(bool ok);
  void Received(bool ok);
  void StartFinish();
  void OperationEnded();

  Owner* owner_;
  ::txn::v1::AppendRequest attach_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<::txn::v1::AppendRequest, ::txn::v1::AppendResponse>> stream_;
  ::txn::v1::AppendResponse incoming_;
  grpc::Status status_;
  rpc::CallbackTag started_tag_;
  rpc::CallbackTag written_tag_;
  rpc::CallbackTag received_tag_;
  rpc::CallbackTag finished_tag_;
  bool writable_ = false;
  bool finishing_ = false;
  int operations_ = 0;
};

}  // namespace kvs::server
