#include "txn_server/api/ledger_service.h"

#include <absl/strings/str_cat.h>

#include <atomic>

#include "common/crc32c.h"
#include "common/errors.h"
#include "tests/support/catch.h"
#include "tests/support/compaction_samples.h"
#include "tests/support/gate.h"
#include "tests/support/log_capture.h"
#include "tests/support/memory_txn_log.h"
#include "tests/support/remote_txn_log.h"
#include "tests/support/sample_frames.h"

namespace kvs::txn {
namespace {

namespace pb = ::txn::v1;

const std::string kFirst = "first-writer-id1";
const std::string kSecond = "second-writer-i2";

// A ledger over a log in memory, with small verbs.
class Ledger {
 public:
  explicit Ledger(LedgerServiceOptions options = {})
      : log_(storage_),
        ledger_(
            &log_, options, [this](const grpc::ServerContext&) { return CheckWriter(); },
            [this](const absl::Status& status) {
              failures++;
              CHECK(Is(status, errors::kLogFailed));
            }),
        stub_(ledger_.stub()) {}

  absl::Status Open(const std::string& writer, uint64_t take_over = 0) {
    grpc::ClientContext context;
    pb::OpenRequest request;
    request.set_partition(partition);
    request.set_writer_id(writer);
    request.set_writer_name(absl::StrCat(writer, " on host:1"));
    request.set_take_over_epoch(take_over);
    return rpc::FromGrpc(stub_->Open(&context, request, &opened));
  }

  absl::Status Resume(const std::string& writer, uint64_t epoch, uint64_t acknowledged = 0,
                      const std::string& log_id = "memory-log-id-16") {
    grpc::ClientContext context;
    pb::ResumeRequest request;
    request.set_partition(partition);
    request.set_log_id(log_id);
    request.set_epoch(epoch);
    request.set_writer_id(writer);
    request.set_acknowledged_revision(acknowledged);
    request.set_sent_revision(acknowledged);
    return rpc::FromGrpc(stub_->Resume(&context, request, &resumed));
  }

  std::unique_ptr<AppendSession> Attach(const std::string& writer, uint64_t epoch) {
    return std::make_unique<AppendSession>(*stub_, epoch, writer);
  }

  // Opens as the first writer and attaches.
  std::unique_ptr<AppendSession> OpenAndAttach() {
    REQUIRE(Open(kFirst) == absl::OkStatus());
    auto session = Attach(kFirst, opened.epoch());
    REQUIRE(session->AwaitMessage() == absl::OkStatus());
    return session;
  }

  // The status that ends a replay; frames and the end record are kept.
  absl::Status Replay(uint64_t from, bool follow = false) {
    grpc::ClientContext context;
    pb::ReplayRequest request;
    request.set_partition(partition);
    request.set_from_revision(from);
    request.set_follow(follow);
    auto reader = stub_->Replay(&context, request);
    replayed.clear();
    pb::ReplayResponse response;
    while (reader->Read(&response)) replayed.push_back(response);
    return rpc::FromGrpc(reader->Finish());
  }

  pb::StatusResponse Status() {
    grpc::ClientContext context;
    pb::StatusRequest request;
    request.set_partition("0");
    pb::StatusResponse response;
    CHECK(stub_->Status(&context, request, &response).ok());
    return response;
  }

  MemoryTxnLog::Storage& storage() { return *storage_; }
  size_t groups() {
    MutexLock lock(&storage_->mutex);
    return storage_->frames.size();
  }
  rpc::Server& server() { return ledger_.server(); }
  pb::Ledger::Stub& stub() { return *stub_; }

  std::string partition = "0";
  std::atomic<bool> permitted{true};
  std::atomic<int> failures{0};
  pb::OpenResponse opened;
  pb::ResumeResponse resumed;
  std::vector<pb::ReplayResponse> replayed;

 private:
  absl::Status CheckWriter() const {
    return permitted ? absl::OkStatus() : Error(errors::kNotPermitted, "not a writer");
  }

  std::shared_ptr<MemoryTxnLog::Storage> storage_ = std::make_shared<MemoryTxnLog::Storage>();
  MemoryTxnLog log_;
  LoopbackLedger ledger_;
  std::unique_ptr<pb::Ledger::Stub> stub_;
};

TEST_CASE("Open gives the first epoch and names the log") {
  Ledger ledger;
  REQUIRE(ledger.Open(kFirst) == absl::OkStatus());
  CHECK(ledger.opened.epoch() == 1);
  CHECK(ledger.opened.log_id() == "memory-log-id-16");
  CHECK(ledger.opened.durable_revision() == 0);
}

TEST_CASE("Open is idempotent for the same writer") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  REQUIRE(ledger.Open(kFirst) == absl::OkStatus());
  CHECK(ledger.opened.epoch() == 1);
  session->Send(MakeFrame(1, 1).frame());
  CHECK(session->AwaitDurable(1) == absl::OkStatus());
}

TEST_CASE("Open is refused while another writer's stream is alive, naming it") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  const absl::Status refused = ledger.Open(kSecond);
  CHECK(Is(refused, errors::kWriterActive));
  CHECK(MetadataOf(refused, "writer") == absl::StrCat(kFirst, " on host:1"));
  CHECK(MetadataOf(refused, "epoch") == "1");
  CHECK_FALSE(MetadataOf(refused, "age").empty());
  CHECK(Is(ledger.Open(kSecond, 2), errors::kWriterActive));
  CHECK(ledger.Status().epoch() == 1);
  CHECK(ledger.Status().writer_name() == absl::StrCat(kFirst, " on host:1"));
}

TEST_CASE("Open takes over with the current epoch and fences the other writer") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  REQUIRE(ledger.Open(kSecond, 1) == absl::OkStatus());
  CHECK(ledger.opened.epoch() == 2);
  CHECK(Is(session->AwaitEnd(), errors::kFenced));
  CHECK(Is(ledger.Resume(kFirst, 1), errors::kFenced));
  CHECK(Is(ledger.Attach(kFirst, 1)->AwaitEnd(), errors::kFenced));
}

TEST_CASE("a frame that a fenced writer had queued is not written") {
  Gate gate;
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  ledger.storage().SetBeforeAppend(gate.Hook());
  session->Send(MakeFrame(1, 1).frame());
  gate.AwaitAppend();
  session->Send(MakeFrame(2, 1).frame());
  std::thread open([&] { CHECK(ledger.Open(kSecond, 1) == absl::OkStatus()); });
  gate.Open();
  open.join();
  CHECK(Is(session->AwaitEnd(), errors::kFenced));
  // The group in flight was waited for; whether the second frame had joined it or was dropped, the epoch came after.
  CHECK(ledger.opened.durable_revision() == ledger.Status().durable_revision());
}

TEST_CASE("a writer that attaches while another one takes over is fenced, and writes nothing") {
  Gate gate;
  Ledger ledger;
  ledger.OpenAndAttach();
  ledger.storage().SetBeforeBeginEpoch(gate.Hook());
  std::thread open([&] { CHECK(ledger.Open(kSecond, 1) == absl::OkStatus()); });
  gate.AwaitAppend();
  auto session = ledger.Attach(kFirst, 1);
  REQUIRE(session->AwaitMessage() == absl::OkStatus());
  gate.Open();
  open.join();
  session->Send(MakeFrame(1, 1).frame());
  CHECK(Is(session->AwaitDurable(1), errors::kFenced));
  CHECK(ledger.Status().durable_revision() == 0);
}

TEST_CASE("a take-over that fails leaves the writer alone") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  ledger.storage().SetBeforeBeginEpoch([] { return Error(errors::kNoSpace, "full"); });
  CHECK(Is(ledger.Open(kSecond, 1), errors::kNoSpace));
  session->Send(MakeFrame(1, 1).frame());
  CHECK(session->AwaitDurable(1) == absl::OkStatus());
  CHECK(ledger.Status().writer_name() == absl::StrCat(kFirst, " on host:1"));
}

TEST_CASE("a take-over during which the log fails tells so once") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  ledger.storage().SetBeforeBeginEpoch([] { return Error(errors::kLogFailed, "fdatasync failed"); });
  CHECK(Is(ledger.Open(kSecond, 1), errors::kLogFailed));
  CHECK(Is(session->AwaitEnd(), errors::kLogFailed));
  CHECK(ledger.failures == 1);
}

TEST_CASE("a Resume that is refused does not end the writer's stream") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  CHECK(Is(ledger.Resume(kFirst, 1, 0, "another-log-id-1"), errors::kLedgerLostData));
  CHECK(Is(ledger.Resume(kFirst, 1, 7), errors::kLedgerLostData));
  ledger.permitted = false;
  CHECK(Is(ledger.Resume(kFirst, 1), errors::kNotPermitted));
  session->Send(MakeFrame(1, 1).frame());
  CHECK(session->AwaitDurable(1) == absl::OkStatus());
}

TEST_CASE("Resume ends the writer's stream before, and waits for what it has in flight") {
  Gate gate;
  Ledger ledger;
  auto before = ledger.OpenAndAttach();
  ledger.storage().SetBeforeAppend(gate.Hook());
  before->Send(MakeFrame(1, 2).frame());
  gate.AwaitAppend();
  before->Send(MakeFrame(3, 1).frame());
  std::thread resume([&] { CHECK(ledger.Resume(kFirst, 1) == absl::OkStatus()); });
  CHECK(absl::IsAborted(before->AwaitEnd()));
  gate.Open();
  resume.join();
  // What had only queued is dropped: the writer sends it again.
  CHECK(ledger.resumed.durable_revision() == 2);
  auto session = ledger.Attach(kFirst, 1);
  session->Send(MakeFrame(3, 1).frame());
  CHECK(session->AwaitDurable(3) == absl::OkStatus());
}

TEST_CASE("Resume wants the ids of the current epoch and never raises it") {
  Ledger ledger;
  ledger.OpenAndAttach();
  CHECK(Is(ledger.Resume(kSecond, 1), errors::kFenced));
  CHECK(Is(ledger.Resume(kFirst, 0), errors::kFenced));
  CHECK(Is(ledger.Resume(kFirst, 1, 0, "another-log-id-1"), errors::kLedgerLostData));
  REQUIRE(ledger.Resume(kFirst, 1) == absl::OkStatus());
  CHECK(ledger.Status().epoch() == 1);
}

TEST_CASE("Resume finds a ledger that lost what it acknowledged") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  session->Send(MakeFrame(1, 3).frame());
  REQUIRE(session->AwaitDurable(3) == absl::OkStatus());
  CHECK(ledger.Resume(kFirst, 1, 3) == absl::OkStatus());
  CHECK(ledger.resumed.durable_revision() == 3);
  CHECK(Is(ledger.Resume(kFirst, 1, 4), errors::kLedgerLostData));
  CHECK(Is(ledger.Resume(kFirst, 2, 3), errors::kLedgerLostData));
}

TEST_CASE("Append takes the writer of the current epoch only") {
  Ledger ledger;
  CHECK(Is(ledger.Attach(kFirst, 0)->AwaitEnd(), errors::kFenced));
  ledger.OpenAndAttach();
  CHECK(Is(ledger.Attach(kFirst, 2)->AwaitEnd(), errors::kFenced));
  CHECK(Is(ledger.Attach(kSecond, 1)->AwaitEnd(), errors::kFenced));
}

TEST_CASE("attach is the first message of an Append stream, and only the first") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  SECTION("not a frame") {
    AppendSession other(ledger.stub());
    other.Send(MakeFrame(1, 1).frame());
    CHECK(Is(other.AwaitEnd(), errors::kMalformedRequest));
  }
  SECTION("not a heartbeat") {
    AppendSession other(ledger.stub());
    other.Heartbeat();
    CHECK(Is(other.AwaitEnd(), errors::kMalformedRequest));
  }
  SECTION("not twice") {
    session->Attach(1, kFirst);
    CHECK(Is(session->AwaitEnd(), errors::kMalformedRequest));
  }
}

TEST_CASE("attaching again ends the writer's stream before") {
  Ledger ledger;
  auto before = ledger.OpenAndAttach();
  auto session = ledger.Attach(kFirst, 1);
  CHECK(absl::IsAborted(before->AwaitEnd()));
  session->Send(MakeFrame(1, 1).frame());
  CHECK(session->AwaitDurable(1) == absl::OkStatus());
}

TEST_CASE("Append acknowledges a duplicate again and refuses a gap") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  session->Send(MakeFrame(1, 2).frame());
  REQUIRE(session->AwaitDurable(2) == absl::OkStatus());
  session->Send(MakeFrame(1, 2).frame());
  CHECK(session->AwaitDurable(2) == absl::OkStatus());
  CHECK(ledger.groups() == 1);
  session->Send(MakeFrame(4, 1).frame());
  const absl::Status gap = session->AwaitEnd();
  CHECK(Is(gap, errors::kGap));
  CHECK(MetadataOf(gap, "expected_revision") == "3");
  CHECK(ledger.Status().durable_revision() == 2);
}

TEST_CASE("Append refuses a frame that is not what it claims to be") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  SampleFrame sample = MakeFrame(1, 2);
  Frame frame = sample.frame();
  frame.count = 3;
  session->Send(frame);
  CHECK(Is(session->AwaitEnd(), errors::kMalformedFrame));
  CHECK(ledger.Status().durable_revision() == 0);
}

TEST_CASE("no space ends the stream, keeps nothing of what was not acknowledged, and passes") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  ledger.storage().SetBeforeAppend([] { return Error(errors::kNoSpace, "full"); });
  session->Send(MakeFrame(1, 1).frame());
  CHECK(Is(session->AwaitEnd(), errors::kNoSpace));
  CHECK(ledger.failures == 0);
  ledger.storage().SetBeforeAppend(nullptr);
  REQUIRE(ledger.Resume(kFirst, 1) == absl::OkStatus());
  session = ledger.Attach(kFirst, 1);
  session->Send(MakeFrame(1, 1).frame());
  CHECK(session->AwaitDurable(1) == absl::OkStatus());
}

TEST_CASE("while groups are refused, a writer that resumes again and again is no news") {
  LogCapture log;
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  ledger.storage().SetBeforeAppend([] { return Error(errors::kNoSpace, "full"); });
  for (int i = 0; i < 3; ++i) {
    session->Send(MakeFrame(1, 1).frame());
    CHECK(Is(session->AwaitEnd(), errors::kNoSpace));
    REQUIRE(ledger.Resume(kFirst, 1) == absl::OkStatus());
    session = ledger.Attach(kFirst, 1);
  }
  CHECK(log.Count("the log did not accept a group") == 1);
  CHECK(log.Count("the writer resumed") == 0);
  ledger.storage().SetBeforeAppend(nullptr);
  session->Send(MakeFrame(1, 1).frame());
  CHECK(session->AwaitDurable(1) == absl::OkStatus());
  CHECK(log.Count("the log accepts groups again") == 1);
  REQUIRE(ledger.Resume(kFirst, 1, 1) == absl::OkStatus());
  CHECK(log.Count("the writer resumed") == 1);
}

TEST_CASE("nothing is acknowledged before the log has it") {
  Gate gate;
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  ledger.storage().SetBeforeAppend(gate.Hook());
  session->Send(MakeFrame(1, 2).frame());
  gate.AwaitAppend();
  gate.Open(Error(errors::kNoSpace, "full"));
  CHECK(Is(session->AwaitDurable(1), errors::kNoSpace));
}

TEST_CASE("a failed log ends the stream and tells once") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  ledger.storage().SetBeforeAppend([] { return Error(errors::kLogFailed, "fdatasync failed"); });
  session->Send(MakeFrame(1, 1).frame());
  CHECK(Is(session->AwaitEnd(), errors::kLogFailed));
  session = ledger.Attach(kFirst, 1);
  session->Send(MakeFrame(1, 1).frame());
  CHECK(Is(session->AwaitEnd(), errors::kLogFailed));
  CHECK(ledger.failures == 1);
}

TEST_CASE("a writer that says nothing for too long is ended, and blocks nobody") {
  LedgerServiceOptions options;
  options.heartbeat_interval = absl::Milliseconds(20);
  options.writer_timeout = absl::Milliseconds(100);
  Ledger ledger(options);
  auto session = ledger.OpenAndAttach();
  CHECK_FALSE(session->AwaitEnd().ok());
  CHECK(ledger.Open(kSecond) == absl::OkStatus());
}

TEST_CASE("past the bound of queued bytes reading pauses, and goes on") {
  LedgerServiceOptions options;
  options.max_queued_bytes = 1000;
  Ledger ledger(options);
  auto session = ledger.OpenAndAttach();
  for (uint64_t revision = 1; revision <= 200; ++revision) {
    session->Send(MakeFrame(revision, 1, std::string(300, 'x')).frame());
  }
  CHECK(session->AwaitDurable(200) == absl::OkStatus());
}

TEST_CASE("a writer that could not be read from for long has not been silent") {
  Gate gate;
  LedgerServiceOptions options;
  options.max_queued_bytes = 1000;
  options.heartbeat_interval = absl::Milliseconds(20);
  options.writer_timeout = absl::Seconds(1);
  Ledger ledger(options);
  auto session = ledger.OpenAndAttach();
  ledger.storage().SetBeforeAppend(gate.Hook());
  session->Send(MakeFrame(1, 1, std::string(1000, 'x')).frame());
  // The ledger's heartbeats are the clock.
  for (int i = 0; i < 60; ++i) REQUIRE(session->AwaitMessage() == absl::OkStatus());
  gate.Open();
  REQUIRE(session->AwaitDurable(1) == absl::OkStatus());
  REQUIRE(session->AwaitMessage() == absl::OkStatus());
  session->Send(MakeFrame(2, 1).frame());
  CHECK(session->AwaitDurable(2) == absl::OkStatus());
}

TEST_CASE("Replay sends everything and closes with count, revision and checksum") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  const SampleFrame first = MakeFrame(1, 3);
  const SampleFrame second = MakeFrame(4, 2);
  session->Send(first.frame());
  session->Send(second.frame());
  REQUIRE(session->AwaitDurable(5) == absl::OkStatus());
  REQUIRE(ledger.Replay(1) == absl::OkStatus());
  REQUIRE(ledger.replayed.size() == 2);
  CHECK(ledger.replayed[0].frame().transactions() == absl::StrCat(first.bytes, second.bytes));
  CHECK(ledger.replayed[1].end().last_revision() == 5);
  CHECK(ledger.replayed[1].end().count() == 5);
  CHECK(ledger.replayed[1].end().crc32c() == Crc32c(absl::StrCat(first.bytes, second.bytes)));
  REQUIRE(ledger.Replay(4) == absl::OkStatus());
  CHECK(ledger.replayed[0].frame().first_revision() == 4);
  CHECK(ledger.replayed[1].end().count() == 2);
}

// Four revisions of three keys, of which one is gone.
std::string SampleHistory() {
  return Entry(1, 0, ValueType::kInt, "a", operation::Put{int64_t{1}}) +
         Entry(2, 0, ValueType::kString, "gone", operation::Put{absl::string_view("x")}) +
         Entry(3, 1, ValueType::kInt, "a", operation::IntIncrement{1, 2}) +
         Entry(4, 2, ValueType::kString, "gone", operation::Delete{}) +
         Entry(5, 0, ValueType::kUint, "b", operation::Put{uint64_t{7}});
}

TEST_CASE("Replay from 0 sends the snapshot, what follows it, and a checksum of both") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  session->Send(SampleFrame{1, 5, SampleHistory()}.frame());
  REQUIRE(session->AwaitDurable(5) == absl::OkStatus());
  const bool drop = GENERATE(true, false);
  REQUIRE(ledger.storage().MakeSnapshot(drop) == absl::OkStatus());
  const SampleFrame rest = MakeFrame(6, 2);
  session->Send(rest.frame());
  REQUIRE(session->AwaitDurable(7) == absl::OkStatus());
  CHECK(ledger.Status().snapshot_revision() == 5);
  CHECK(ledger.Status().compacted_revision() == (drop ? 5 : 0));

  REQUIRE(ledger.Replay(0) == absl::OkStatus());
  REQUIRE(ledger.replayed.size() == 5);
  REQUIRE(ledger.replayed[0].has_snapshot());
  CHECK(ledger.replayed[0].snapshot().revision() == 5);
  CHECK(ledger.replayed[0].snapshot().time_micros() == 5);
  CHECK(ledger.replayed[0].snapshot().transactions() == 2);
  std::string parts;
  for (int i = 1; i <= 2; ++i) parts += ledger.replayed[i].part().transactions();
  CHECK(Describe(parts) == Lines{"int a 3<0 put", "uint b 5<0 put"});
  CHECK(ledger.replayed[3].frame().first_revision() == 6);
  CHECK(ledger.replayed[3].frame().transactions() == rest.bytes);
  CHECK(ledger.replayed[4].end().last_revision() == 7);
  CHECK(ledger.replayed[4].end().count() == 2);
  CHECK(ledger.replayed[4].end().crc32c() == Crc32c(parts + rest.bytes));

  // Who asks for transactions gets no snapshot.
  REQUIRE(ledger.Replay(6) == absl::OkStatus());
  CHECK(ledger.replayed[0].has_frame());
  const absl::Status first = ledger.Replay(1);
  if (drop) {
    CHECK(Is(first, errors::kCompacted));
  } else {
    CHECK(ledger.replayed[0].frame().transactions() == SampleHistory() + rest.bytes);
  }
}

TEST_CASE("Replay from 0 without a snapshot begins with the first revision, and with a whole one ends behind it") {
  Ledger ledger;
  REQUIRE(ledger.Replay(0) == absl::OkStatus());
  REQUIRE(ledger.replayed.size() == 1);
  CHECK(ledger.replayed[0].end().last_revision() == 0);
  auto session = ledger.OpenAndAttach();
  session->Send(SampleFrame{1, 5, SampleHistory()}.frame());
  REQUIRE(session->AwaitDurable(5) == absl::OkStatus());
  REQUIRE(ledger.Replay(0) == absl::OkStatus());
  REQUIRE(ledger.replayed.size() == 2);
  CHECK(ledger.replayed[0].frame().first_revision() == 1);
  CHECK(ledger.replayed[1].end().count() == 5);
  REQUIRE(ledger.storage().MakeSnapshot(/*drop=*/true) == absl::OkStatus());
  REQUIRE(ledger.Replay(0) == absl::OkStatus());
  REQUIRE(ledger.replayed.size() == 4);
  CHECK(ledger.replayed[3].end().last_revision() == 5);
  CHECK(ledger.replayed[3].end().count() == 0);
}

TEST_CASE("Replay of nothing is an end record alone, and past the end an error") {
  Ledger ledger;
  REQUIRE(ledger.Replay(1) == absl::OkStatus());
  REQUIRE(ledger.replayed.size() == 1);
  CHECK(ledger.replayed[0].end().last_revision() == 0);
  CHECK(absl::IsOutOfRange(ledger.Replay(2)));
  CHECK(Is(ledger.Replay(1, /*follow=*/true), errors::kUnsupportedOption));
}

TEST_CASE("only writers may open, resume, append and replay") {
  Ledger ledger;
  ledger.permitted = false;
  CHECK(Is(ledger.Open(kFirst), errors::kNotPermitted));
  CHECK(Is(ledger.Resume(kFirst, 1), errors::kNotPermitted));
  CHECK(Is(ledger.Attach(kFirst, 1)->AwaitEnd(), errors::kNotPermitted));
  CHECK(Is(ledger.Replay(1), errors::kNotPermitted));
  CHECK(ledger.Status().epoch() == 0);
}

TEST_CASE("there is one partition, and a writer has an id") {
  Ledger ledger;
  CHECK(Is(ledger.Open(""), errors::kMalformedRequest));
  CHECK(Is(ledger.Open(std::string(65, 'x')), errors::kMalformedRequest));
  ledger.partition = std::string("1");
  CHECK(Is(ledger.Open(kFirst), errors::kUnknownPartition));
  CHECK(Is(ledger.Resume(kFirst, 1), errors::kUnknownPartition));
  CHECK(Is(ledger.Replay(1), errors::kUnknownPartition));
  CHECK(ledger.Status().epoch() == 0);
}

TEST_CASE("a drain ends a replay without reading the rest of the log") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  constexpr uint64_t kFrames = 24;
  for (uint64_t revision = 1; revision <= kFrames; ++revision) {
    session->Send(MakeFrame(revision, 1, std::string(kMaxValueBytes, 'x')).frame());
  }
  REQUIRE(session->AwaitDurable(kFrames) == absl::OkStatus());
  TestContext context;
  pb::ReplayRequest request;
  request.set_partition("0");
  request.set_from_revision(1);
  auto reader = ledger.stub().Replay(&context, request);
  pb::ReplayResponse response;
  REQUIRE(reader->Read(&response));
  std::thread drain([&] { ledger.server().Drain(absl::Seconds(10)); });
  // Both streams are told by the same task; that one of them has ended shows that it runs.
  CHECK(absl::IsUnavailable(session->AwaitEnd()));
  while (reader->Read(&response)) CHECK(response.has_frame());
  CHECK(reader->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
  drain.join();
  MutexLock lock(&ledger.storage().mutex);
  CHECK(ledger.storage().frames_read < kFrames);
}

TEST_CASE("a drain ends the writer's stream") {
  Ledger ledger;
  auto session = ledger.OpenAndAttach();
  ledger.server().Drain(absl::Seconds(10));
  CHECK(absl::IsUnavailable(session->AwaitEnd()));
}

}  // namespace
}  // namespace kvs::txn
