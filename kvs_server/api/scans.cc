#include "kvs_server/api/scans.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/errors.h"
#include "common/limits.h"
#include "common/rpc/status.h"
#include "kvs/v1/keys.pb.h"
#include "kvs_server/api/request_checks.h"
#include "kvs_server/engine/scanner.h"

namespace kvs::server {
namespace {

namespace v1 = ::kvs::v1;
using google::protobuf::util::TimeUtil;

// What is read before other calls have their turn on the event loop.
constexpr size_t kStepsAtOnce = 32;

absl::Status CheckPlace(const std::string& text, absl::string_view what) {
  return text.empty() ? absl::OkStatus() : CheckName(text, what);
}

template <class Request>
absl::StatusOr<Selection> SelectionOf(const Request& request, bool with_values) {
  Selection selection;
  if (absl::Status status = CheckPlace(request.prefix(), "prefix"); !status.ok()) return status;
  if (absl::Status status = CheckPlace(request.start_key(), "start_key"); !status.ok()) return status;
  if (absl::Status status = CheckPlace(request.start_after(), "start_after"); !status.ok()) return status;
  auto types = CheckTypes(request.types());
  if (!types.ok()) return types.status();
  if (request.has_limit() && request.limit() == 0) {
    return Error(errors::kInvalidLimit, "the limit is 0; give how many keys there may be, or leave it out");
  }
  selection.prefix = request.prefix();
  selection.types = *std::move(types);
  selection.start_is_included = !request.has_start_after();
  selection.start = selection.start_is_included ? request.start_key() : request.start_after();
  selection.with_values = with_values;
  return selection;
}

template <class T>
size_t BytesOf(const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return sizeof(value);
  } else if constexpr (std::is_same_v<T, StringValue>) {
    return value.size();
  } else {
    return value.bytes();
  }
}

// AddTo: a value, or its next part, after what there is of it.
void AddTo(v1::Value& to, int64_t value) { to.set_int_value(value); }
void AddTo(v1::Value& to, uint64_t value) { to.set_uint_value(value); }
void AddTo(v1::Value& to, double value) { to.set_float_value(value); }
void AddTo(v1::Value& to, const StringValue& value) { to.set_string_value(value.view().data(), value.size()); }
void AddTo(v1::Value& to, const SetValue& value) {
  v1::SetContents& set = *to.mutable_set_value();
  for (const std::string& member : value.members()) set.add_members(member);
}
void AddTo(v1::Value& to, const MapValue& value) {
  auto& fields = *to.mutable_map_value()->mutable_fields();
  for (const auto& [name, text] : value.fields()) fields[name] = text;
}

// Makes messages of Keys.List.
class ListMessage {
 public:
  using Request = v1::KeysListRequest;
  using Response = v1::KeysListResponse;
  static constexpr bool kHasValues = false;

  void Add(ViewedKey&& key) {
    v1::KeyEntry& entry = *response.add_keys();
    entry.set_type(ToProto(key.type));
    entry.set_key(std::move(key.key));
    entry.set_revision(key.revision);
  }
  bool is_empty() const { return response.keys().empty(); }
  bool is_full() const { return response.keys_size() >= static_cast<int>(kListChunkKeys); }
  void Clear() { response.Clear(); }

  Response response;
};

// Makes messages of Keys.Scan.
class ScanMessage {
 public:
  using Request = v1::KeysScanRequest;
  using Response = v1::KeysScanResponse;
  static constexpr bool kHasValues = true;

  void Add(ViewedKey&& key) {
    const size_t bytes = std::visit([](const auto& value) { return BytesOf(value); }, *key.value);
    const bool goes_on = part_ != nullptr && part_->more() && part_bytes_ + bytes <= kScanPartBytes;
    if (!goes_on) Begin(key);
    if (key.more) {
      part_->set_more(true);
    } else {
      part_->clear_more();
    }
    std::visit([this](auto& value) { AddTo(*part_->mutable_value(), std::move(value)); }, *key.value);
    part_bytes_ += bytes;
    bytes_ += bytes;
  }
  bool is_empty() const { return response.entries().empty(); }
  // A value goes on in the entry that it began in, as long as that has room for what is read at once.
  bool is_full() const {
    if (part_ == nullptr || (part_->more() && part_bytes_ < kScanPartBytes / 2)) return false;
    return bytes_ >= kScanMessageBytes || response.entries_size() >= static_cast<int>(kListChunkKeys);
  }
  void Clear() {
    response.Clear();
    part_ = nullptr;
    bytes_ = 0;
  }

  Response response;

 private:
  void Begin(ViewedKey& key) {
    part_ = response.add_entries();
    part_->set_type(ToProto(key.type));
    part_->set_revision(key.revision);
    if (key.expires_at_micros != 0) {
      *part_->mutable_expires_at() = TimeUtil::MicrosecondsToTimestamp(key.expires_at_micros);
    }
    bytes_ += key.key.size();
    part_->set_key(std::move(key.key));
    part_bytes_ = 0;
  }

  v1::ScanEntry* part_ = nullptr;  // the last entry
  size_t part_bytes_ = 0;
  size_t bytes_ = 0;
};

// Frees what a view has kept, which may be much, without holding up other calls of the loop.
void FreeWhenIdle(rpc::EventLoop& loop, std::unique_ptr<View> view) {
  loop.RunWhenIdle([&loop, view = std::move(view)]() mutable {
    if (view->FreeSome()) FreeWhenIdle(loop, std::move(view));
  });
}

// One stream: a message is read, waits until its revision is durable, is written, and only then the next one is read.
// So a slow reader costs one message, and what the scanner has read ahead and keeps.
template <class Message>
class ScanStream final : public rpc::StreamHandler {
 public:
  using Request = typename Message::Request;

  ScanStream(rpc::ServerStream* stream, Engine* engine, Responder* responder)
      : stream_(*stream), engine_(*engine), responder_(*responder), state_(std::make_shared<State>()) {
    state_->handler = this;
  }

  bool OnMessage(const grpc::ByteBuffer& bytes) override {
    Request request;
    if (!rpc::Parse(bytes, &request)) {
      stream_.Finish(rpc::Service::MalformedError(*Request::descriptor()));
    } else if (absl::Status status = Begin(request); !status.ok()) {
      stream_.Finish(rpc::ToGrpc(status));
    } else {
      ReadOnWhenIdle();
    }
    return false;
  }

  void OnHalfClose() override { stream_.Finish(rpc::Service::MalformedError(*Request::descriptor())); }
  void OnWritten() override {
    if (scanner_) scanner_->SetStill(false);
    ReadOnWhenIdle();
  }
  void OnDrain() override { End(responder_.CheckServing()); }
  void OnDone() override {
    state_->handler = nullptr;
    CloseScanner();
  }

 private:
  // Outlives the stream as long as something is to come back to it. Of the stream's loop alone.
  struct State {
    ScanStream* handler = nullptr;
  };

  absl::Status Begin(const Request& request) {
    if (const auto actor = responder_.Admit(stream_.context()); !actor.ok()) return actor.status();
    auto selection = SelectionOf(request, Message::kHasValues);
    if (!selection.ok()) return selection.status();
    const uint64_t max_keys = request.has_limit() ? request.limit() : Scanner::kNoLimit;
    // Told at once, since a client that has stopped reading would never make the scanner find out.
    auto ended = [state = state_, &loop = stream_.loop()] {
      loop.Post([state] {
        if (state->handler && state->handler->scanner_) state->handler->End(state->handler->scanner_->status());
      });
    };
    auto scanner =
        Scanner::Open(&engine_.store(), &engine_.journal(), *std::move(selection), max_keys, std::move(ended));
    if (!scanner.ok()) return scanner.status();
    scanner_ = *std::move(scanner);
    revision_ = scanner_->revision();
    message_.response.set_revision(revision_);
    return absl::OkStatus();
  }

  // Reads until the message is full; other calls come first, and in between.
  void ReadOnWhenIdle() {
    stream_.loop().RunWhenIdle([state = state_] {
      if (state->handler) state->handler->ReadOn();
    });
  }

  void ReadOn() {
    if (!scanner_) return;
    const absl::Status status = scanner_->Read(kStepsAtOnce, [this](ViewedKey&& key) {
      message_.Add(std::move(key));
      return !message_.is_full();
    });
    if (!status.ok()) return End(status);
    if (scanner_->is_done() || message_.is_full()) return SendWhenDurable();
    ReadOnWhenIdle();
  }

  void SendWhenDurable() {
    const bool is_last = scanner_->is_done();
    if (is_last) CloseScanner();
    message_.response.set_latest_revision(std::max(responder_.journal().durable_revision(), revision_));
    const bool is_first = message_.response.has_revision();
    auto bytes = is_first || !message_.is_empty() ? rpc::Serialize(message_.response) : grpc::ByteBuffer();
    message_.Clear();
    responder_.journal().WhenDurable(revision_, [state = state_, &loop = stream_.loop(), is_last,
                                                 bytes = std::move(bytes)](Durability durability) mutable {
      auto send = [state, durability, is_last, bytes = std::move(bytes)]() mutable {
        if (state->handler) state->handler->Send(durability, is_last, std::move(bytes));
      };
      if (loop.IsCurrentThread()) {
        send();
      } else {
        loop.Post(std::move(send));
      }
    });
  }

  void Send(Durability durability, bool is_last, grpc::ByteBuffer bytes) {
    if (durability == Durability::kUnknown) return End(WaitError(/*logged=*/false));
    if (bytes.Valid()) {
      if (scanner_) scanner_->SetStill(true);
      stream_.Write(std::move(bytes));
    }
    if (is_last) stream_.Finish(grpc::Status::OK);
  }

  void CloseScanner() {
    if (scanner_) FreeWhenIdle(stream_.loop(), Scanner::Close(std::move(scanner_)));
  }

  void End(const absl::Status& status) {
    CloseScanner();
    stream_.Finish(rpc::ToGrpc(status));
  }

  rpc::ServerStream& stream_;
  Engine& engine_;
  Responder& responder_;
  std::unique_ptr<Scanner> scanner_;  // null before it begins, and after the end
  uint64_t revision_ = 0;             // what is shown
  Message message_;
  const std::shared_ptr<State> state_;
};

template <class Message>
void AddScan(rpc::Service* service, absl::string_view method, Engine* engine, Responder* responder) {
  service->AddStream(method, [engine, responder](rpc::ServerStream& stream) {
    return std::make_unique<ScanStream<Message>>(&stream, engine, responder);
  });
}

}  // namespace

void AddScans(rpc::Service* service, Engine* engine, Responder* responder) {
  AddScan<ListMessage>(service, "List", engine, responder);
  AddScan<ScanMessage>(service, "Scan", engine, responder);
}

}  // namespace kvs::server
