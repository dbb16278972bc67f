// Keys::List and Keys::Scan.
#include <absl/time/clock.h>

#include <utility>

#include "clients/cpp/connection.h"
#include "clients/cpp/stores.h"
#include "common/rpc/status.h"

namespace kvs::client {
namespace {

enum class StreamEnd { kByServer, kByVisitor, kByTimeout };

// Reads one stream to its end. The synchronous reader knows only a deadline for the whole stream, which cannot suit
// both a hundred keys and a hundred million: this one waits for each part.
template <class Response>
class PartReader {
 public:
  using Stream = std::unique_ptr<grpc::ClientAsyncReader<Response>>;

  // `open` is called as (grpc::ClientContext*, grpc::CompletionQueue*).
  template <class Open>
  explicit PartReader(Open open) : stream_(open(&context_, &queue_)) {}

  ~PartReader() {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  grpc::Status Read(absl::Duration timeout, absl::FunctionRef<bool(const Response&)> visit) {
    bool ok = false;
    StreamEnd end = Await(timeout, &ok) ? StreamEnd::kByServer : StreamEnd::kByTimeout;
    while (end == StreamEnd::kByServer && ok) {
      stream_->Read(&part_, nullptr);
      if (!Await(timeout, &ok)) {
        end = StreamEnd::kByTimeout;
      } else if (ok && !visit(part_)) {
        end = StreamEnd::kByVisitor;
      }
    }
    switch (end) {
      case StreamEnd::kByVisitor:
        return grpc::Status::OK;
      case StreamEnd::kByTimeout:
        return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED,
                            "the server sent no further part of the list within the timeout");
      case StreamEnd::kByServer:
        break;
    }
    stream_->Finish(&status_, nullptr);
    if (!Await(timeout, &ok)) return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "the list did not end");
    return status_;
  }

 private:
  // Whether the operation under way ended in time; `ok` tells whether it succeeded.
  bool Await(absl::Duration timeout, bool* ok) {
    void* tag = nullptr;
    return queue_.AsyncNext(&tag, ok, absl::ToChronoTime(absl::Now() + timeout)) == grpc::CompletionQueue::GOT_EVENT;
  }

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  grpc::Status status_;
  Response part_;
  Stream stream_;
};

// `open` as PartReader has it.
template <class Response, class Open>
absl::Status ReadParts(const Connection& connection, const CallOptions& options, Open open,
                       absl::FunctionRef<bool(const Response&)> visit) {
  // What was visited in part must not begin anew, so from then on its error is an answer and not a reason to retry.
  bool visited = false;
  grpc::Status broken;
  const absl::Status status = connection.Retry(Effect::kRead, options, [&](absl::Time) {
    PartReader<Response> reader(open);
    const grpc::Status end = reader.Read(connection.Timeout(options), [&](const Response& part) {
      visited = true;
      return visit(part);
    });
    if (!visited) return end;
    broken = end;
    return grpc::Status::OK;
  });
  return status.ok() ? rpc::FromGrpc(broken) : status;
}

// Adds a part of a value to those before it.
void Join(v1::Value& part, v1::Value& whole) {
  if (part.has_set_value()) {
    for (std::string& member : *part.mutable_set_value()->mutable_members()) {
      whole.mutable_set_value()->add_members(std::move(member));
    }
  } else {
    auto& fields = *whole.mutable_map_value()->mutable_fields();
    for (auto& [name, text] : *part.mutable_map_value()->mutable_fields()) fields[name] = std::move(text);
  }
}

}  // namespace

absl::Status Keys::List(const v1::KeysListRequest& request, absl::FunctionRef<bool(const v1::KeysListResponse&)> visit,
                        const CallOptions& options) const {
  const auto open = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
    return connection_->keys->AsyncList(context, request, queue, nullptr);
  };
  return ReadParts<v1::KeysListResponse>(*connection_, options, open, visit);
}

absl::Status Keys::List(absl::string_view prefix, Types types,
                        absl::FunctionRef<bool(const v1::KeysListResponse&)> visit, const CallOptions& options) const {
  v1::KeysListRequest request;
  request.set_prefix(std::string(prefix));
  for (const v1::ValueType type : types) request.add_types(type);
  return List(request, visit, options);
}

absl::Status Keys::ScanParts(const v1::KeysScanRequest& request,
                             absl::FunctionRef<bool(const v1::KeysScanResponse&)> visit,
                             const CallOptions& options) const {
  const auto open = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
    return connection_->keys->AsyncScan(context, request, queue, nullptr);
  };
  return ReadParts<v1::KeysScanResponse>(*connection_, options, open, visit);
}

absl::StatusOr<uint64_t> Keys::Scan(const v1::KeysScanRequest& request,
                                    absl::FunctionRef<bool(const v1::ScanEntry&)> visit,
                                    const CallOptions& options) const {
  uint64_t revision = 0;
  v1::ScanEntry whole;
  const auto visit_whole = [&](v1::ScanEntry part) {
    const bool more = part.more();
    if (whole.more()) {
      Join(*part.mutable_value(), *whole.mutable_value());
    } else {
      whole = std::move(part);
    }
    if (more) return true;
    whole.clear_more();
    return visit(whole);
  };
  const absl::Status status = ScanParts(
      request,
      [&](const v1::KeysScanResponse& part) {
        if (part.has_revision()) revision = part.revision();
        for (const v1::ScanEntry& entry : part.entries()) {
          if (!visit_whole(entry)) return false;
        }
        return true;
      },
      options);
  if (!status.ok()) return status;
  return revision;
}

}  // namespace kvs::client
