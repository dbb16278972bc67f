// The ledger's Append stream: whatever a writer sends, the log grows by whole frames without a gap, in their order, and
// nothing is acknowledged that it does not hold.
#include <absl/strings/str_cat.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/limits.h"
#include "common/logging/logging.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/raw_stream.h"
#include "tests/support/memory_txn_log.h"
#include "tests/support/raw_call.h"
#include "tests/support/sample_frames.h"
#include "txn/v1/ledger.pb.h"
#include "txn_server/server.h"

namespace kvs::fuzz::append_stream {

namespace pb = ::txn::v1;

constexpr char kWriterId[] = "writer";
constexpr size_t kMaxMessages = 32;

// txn_server over a log in memory.
class Ledger {
 public:
  Ledger() {
    InitLogging({});
    RedirectLog([](absl::string_view) {});
    txn::Config config;
    config.listen = {"127.0.0.1", 0};
    config.insecure = true;
    config.data_dir = "unused";
    auto server = txn::TxnServer::Start(config, std::make_unique<txn::MemoryTxnLog>(storage_),
                                        [](ExitCode, const absl::Status&) { Require(false, "the log failed"); });
    RequireOk(server.status(), "the server does not start");
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials());
  }

  // Begins with an empty log whose writer is known.
  void Clear() {
    MutexLock lock(&storage_->mutex);
    storage_->frames.clear();
    storage_->position.durable_revision = 0;
    storage_->position.epoch = 1;
    storage_->position.writer_id = kWriterId;
  }

  StreamResult Append(const std::vector<std::string>& messages) {
    StreamResult result = CallStream(channel_, "/txn.v1.Ledger/Append", messages);
    // A job of the committer comes after the group that was under way.
    pb::OpenRequest open;
    open.set_partition("0");
    open.set_writer_id(kWriterId);
    std::string ignored;
    RequireOk(RawCall(channel_, "/txn.v1.Ledger/Open", open.SerializeAsString(), &ignored), "the ledger is stuck");
    return result;
  }

  std::vector<txn::MemoryTxnLog::Storage::StoredFrame> Frames() const {
    MutexLock lock(&storage_->mutex);
    return storage_->frames;
  }

 private:
  std::shared_ptr<txn::MemoryTxnLog::Storage> storage_ = std::make_shared<txn::MemoryTxnLog::Storage>();
  std::unique_ptr<txn::TxnServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

std::string AttachMessage() {
  pb::AppendRequest message;
  message.mutable_attach()->set_partition("0");
  message.mutable_attach()->set_epoch(1);
  message.mutable_attach()->set_writer_id(kWriterId);
  return message.SerializeAsString();
}

// The input's messages: as they are, or attach.
std::vector<std::string> MessagesOf(absl::string_view input) {
  Pieces pieces(input);
  std::vector<std::string> messages;
  while (!pieces.empty() && messages.size() < kMaxMessages) {
    const bool is_attach = pieces.Byte() % 2 == 1;
    messages.push_back(is_attach ? AttachMessage() : std::string(pieces.Block()));
  }
  return messages;
}

// The frames among the messages that a ledger may take, up to the first message that has to end the stream.
std::vector<pb::Frame> Acceptable(const std::vector<std::string>& messages) {
  std::vector<pb::Frame> frames;
  uint64_t next = 1;
  bool attached = false;
  for (const std::string& bytes : messages) {
    pb::AppendRequest message;
    if (!message.ParseFromString(bytes) || message.has_attach() == attached) break;
    if (message.has_attach()) {
      const pb::Attach& attach = message.attach();
      if (attach.partition() != "0" || attach.epoch() != 1 || attach.writer_id() != kWriterId) break;
      attached = true;
    }
    if (!message.has_frame()) continue;
    const pb::Frame& frame = message.frame();
    const txn::Frame view{frame.first_revision(), frame.count(), frame.transactions()};
    if (!txn::CheckFrame(view).ok()) break;
    // One that was sent before is acknowledged again, or ends the stream if it is not durable yet.
    if (view.last_revision() < next) continue;
    if (view.first_revision != next) break;
    next = view.last_revision() + 1;
    frames.push_back(frame);
  }
  return frames;
}

void CheckAnswers(const StreamResult& result, uint64_t durable_revision) {
  uint64_t acknowledged = 0;
  for (const std::string& bytes : result.answers) {
    pb::AppendResponse response;
    Require(response.ParseFromString(bytes), "an answer of the ledger is no message");
    if (response.has_heartbeat()) continue;
    Require(response.durable_revision() >= acknowledged, "an acknowledgement went back");
    acknowledged = response.durable_revision();
  }
  Require(acknowledged <= durable_revision, "something was acknowledged that the log does not hold");
  const grpc::StatusCode code = result.status.error_code();
  Require(
      code != grpc::StatusCode::INTERNAL && code != grpc::StatusCode::UNKNOWN && code != grpc::StatusCode::DATA_LOSS,
      absl::StrCat("the stream ended by accident: ", result.status.error_message()));
}

void Run(absl::string_view input) {
  static auto* const ledger = new Ledger();
  ledger->Clear();
  const std::vector<std::string> messages = MessagesOf(input);
  const StreamResult result = ledger->Append(messages);
  const auto stored = ledger->Frames();
  const std::vector<pb::Frame> acceptable = Acceptable(messages);
  Require(stored.size() <= acceptable.size(), "the log took a frame that it had to refuse");
  uint64_t durable_revision = 0;
  for (size_t i = 0; i < stored.size(); ++i) {
    Require(stored[i].first_revision == durable_revision + 1, "the log has a gap");
    Require(stored[i].transactions == acceptable[i].transactions(), "the log has another frame than was sent");
    durable_revision += stored[i].count;
  }
  CheckAnswers(result, durable_revision);
}

std::string Message(const txn::SampleFrame& frame) {
  pb::AppendRequest message;
  message.mutable_frame()->set_first_revision(frame.first_revision);
  message.mutable_frame()->set_count(frame.count);
  message.mutable_frame()->set_transactions(frame.bytes);
  return std::string(1, '\0') + Block(message.SerializeAsString());
}

std::vector<Seed> MakeSeeds() {
  const std::string attach(1, '\1');
  const std::string one = Message(txn::MakeFrame(1, 1));
  const std::string two = Message(txn::MakeBatchFrame(2, 2));
  pb::AppendRequest heartbeat;
  heartbeat.mutable_heartbeat();
  return {{"frames", attach + one + two},
          {"twice", attach + one + one + two + one},
          {"gap", attach + one + Message(txn::MakeFrame(3, 1))},
          {"overlap", attach + one + Message(txn::MakeFrame(1, 2))},
          {"unattached", one},
          {"heartbeat", attach + std::string(1, '\0') + Block(heartbeat.SerializeAsString()) + one}};
}

const Registration registration("append_stream", Run, MakeSeeds);

}  // namespace kvs::fuzz::append_stream
