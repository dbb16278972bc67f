#include "kvs_server/journal/append_stream.h"

namespace kvs::server {

AppendStream::AppendStream(::txn::v1::Ledger::Stub* stub, rpc::EventLoop* loop, Owner* owner,
                           const ::txn::v1::Attach& attach)
    : owner_(owner),
      started_tag_([this](bool ok) { Started(ok); }),
      written_tag_([this](bool ok) { Written(ok); }),
      received_tag_([this](bool ok) { Received(ok); }),
      finished_tag_([this](bool) { OperationEnded(); }) {
  *attach_.mutable_attach() = attach;
  stream_ = stub->PrepareAsyncAppend(&context_, loop->queue());
  operations_++;
  stream_->StartCall(&started_tag_);
}

void AppendStream::Started(bool ok) {
  if (ok) {
    operations_++;
    stream_->Write(attach_, &written_tag_);
    operations_++;
    stream_->Read(&incoming_, &received_tag_);
  } else {
    StartFinish();
  }
  OperationEnded();
}

void AppendStream::Write(const ::txn::v1::AppendRequest& request) {
  writable_ = false;
  operations_++;
  stream_->Write(request, &written_tag_);
}

void AppendStream::Written(bool ok) {
  if (ok && !finishing_) {
    writable_ = true;
    owner_->OnAppendWritable();
  }
  OperationEnded();
}

void AppendStream::Received(bool ok) {
  if (ok) {
    owner_->OnAppendResponse(incoming_);
    operations_++;
    stream_->Read(&incoming_, &received_tag_);
  } else {
    StartFinish();
  }
  OperationEnded();
}

void AppendStream::StartFinish() {
  writable_ = false;
  finishing_ = true;
  operations_++;
  stream_->Finish(&status_, &finished_tag_);
}

void AppendStream::OperationEnded() {
  if (--operations_ > 0) return;
  Owner* owner = owner_;
  const grpc::Status status = status_;
  delete this;
  owner->OnAppendClosed(status);
}

}  // namespace kvs::server
