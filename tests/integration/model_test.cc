// Random commands against a reference model: what the API answers, and what is there afterwards, restarts and
// compaction of the ledger in between.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <rapidcheck.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include "common/rpc/status.h"
#include "kvs/v1/batch.grpc.pb.h"
#include "kvs/v1/keys.grpc.pb.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/random_operations.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/reference_model.h"
#include "tests/support/test_size.h"
#include "txn_server/log/file/file_txn_log.h"

namespace kvs {
namespace {

// What the property does next. A step is told by a number, of which everything random in it follows.
struct Step {
  enum class Kind { kIndependent, kAtomic, kPassTime, kRestart };
  Kind kind;
  uint64_t seed;

  friend std::ostream& operator<<(std::ostream& out, const Step& step) {
    constexpr const char* kNames[] = {"independent batch", "atomic batch", "time passes", "restart"};
    return out << kNames[static_cast<int>(step.kind)] << " " << step.seed;
  }
};

rc::Gen<Step> AnyStep() {
  using Kind = Step::Kind;
  const auto kinds = rc::gen::weightedElement<Kind>(
      {{80, Kind::kIndependent}, {80, Kind::kAtomic}, {2, Kind::kPassTime}, {1, Kind::kRestart}});
  // Only whole steps are left out of a case that failed: another number is another step, not a smaller one.
  return rc::gen::noShrink(
      rc::gen::map(rc::gen::pair(kinds, rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<uint64_t>())),
                   [](const auto& step) { return Step{step.first, step.second}; }));
}

constexpr size_t kSteps = 150;
constexpr size_t kOperations = 16;  // of a batch, at most
constexpr int64_t kStart = 1'800'000'000'000'000;

// What outlives the servers of a ModelPair.
struct World {
  txn::MemoryFileSystem files_;
  txn::FileTxnLogOptions options_;
  std::atomic<int64_t> now_micros_{kStart};
};

// A pair on a file ledger that makes snapshots all the time, with a clock that the test sets.
class ModelPair : private World, public Pair {
 public:
  explicit ModelPair(txn::Retention retention) {
    options_.directory = "/log";
    options_.file_system = &files_;
    options_.segment_bytes = 64 * kKiB;
    options_.compaction.min_bytes = 32 * kKiB;
    options_.compaction.percent = 10;
    options_.compaction.ballast_bytes = 0;
    options_.compaction.retention = retention;
    UseLog([this] {
      auto log = txn::OpenFileTxnLog(options_);
      REQUIRE(log.status() == absl::OkStatus());
      return *std::move(log);
    });
    UseClock([this] { return absl::FromUnixMicros(now_micros_); });
    Start();
  }

  void Restart() {
    StopKvs();
    StopLedger();
    Start();
  }

  int64_t now_micros() const { return now_micros_; }
  void PassTime(int64_t micros) { now_micros_ += micros; }

  // The results as ReferenceModel tells them.
  std::vector<std::string> Execute(const v1::BatchExecuteRequest& request) {
    v1::BatchExecuteResponse response;
    v1::Batch::Stub stub(channel());
    const absl::Status status = Call(stub, &v1::Batch::Stub::Execute, request, &response);
    if (!status.ok()) {
      const std::string index = MetadataOf(status, "operation");
      return {index.empty() ? CodeAndReason(status) : absl::StrCat(CodeAndReason(status), " at ", index)};
    }
    std::vector<std::string> results;
    for (const auto& result : response.results()) results.push_back(ResultText(result));
    return results;
  }

  std::vector<std::string> Scan() {
    v1::Keys::Stub stub(channel());
    grpc::ClientContext context;
    const auto reader = stub.Scan(&context, v1::KeysScanRequest());
    std::vector<std::string> entries;
    for (v1::KeysScanResponse response; reader->Read(&response);) {
      for (const auto& entry : response.entries()) entries.push_back(TextOf(entry));
    }
    RC_ASSERT(reader->Finish().ok());
    return entries;
  }

  // Blocks until this revision was given.
  void AwaitRevision(uint64_t revision) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    v1::Maintenance::Stub stub(channel());
    for (uint64_t latest = 0; latest < revision;) {
      v1::MaintenanceStatusResponse status;
      RC_ASSERT(Call(stub, &v1::Maintenance::Stub::Status, v1::MaintenanceStatusRequest(), &status).ok());
      latest = status.ledger().latest_revision();
      RC_ASSERT(absl::Now() < deadline);
    }
  }
};

void CheckSame(const v1::BatchExecuteRequest& request, const std::vector<std::string>& actual,
               const std::vector<std::string>& expected) {
  if (actual == expected) return;
  std::string text = request.atomic() ? "atomic" : "independent";
  for (size_t i = 0; i < static_cast<size_t>(request.operations_size()); ++i) {
    absl::StrAppend(&text, "\n  ", TextOf(request.operations(static_cast<int>(i))));
    if (i < actual.size()) absl::StrAppend(&text, "\n    answered ", actual[i]);
    if (i < expected.size()) absl::StrAppend(&text, "\n    expected ", expected[i]);
  }
  RC_FAIL(text);
}

// The pair and the model side by side.
class Comparison {
 public:
  explicit Comparison(txn::Retention retention) : pair_(retention) { model_.SetTime(pair_.now_micros()); }

  void Do(const Step& step) {
    RandomOperations random(step.seed);
    switch (step.kind) {
      case Step::Kind::kIndependent:
      case Step::Kind::kAtomic:
        return Execute(step.kind == Step::Kind::kAtomic, random);
      case Step::Kind::kPassTime:
        return PassTime(static_cast<int64_t>(random.Below(20'000'000)));
      case Step::Kind::kRestart:
        pair_.Restart();
        return CheckState();
    }
  }

  // Everything that can be read is as the model has it.
  void CheckState() {
    CheckReads();
    RC_ASSERT(pair_.Scan() == model_.Scan());
  }

  uint64_t operations() const { return operations_; }

 private:
  void Execute(bool atomic, RandomOperations& random) {
    const v1::BatchExecuteRequest request = atomic ? NextAtomic(random) : NextIndependent(random);
    operations_ += request.operations_size();
    std::vector<std::string> expected;
    if (atomic) {
      expected = model_.DoAtomic(request);
    } else {
      for (const auto& operation : request.operations()) expected.push_back(model_.Do(operation));
    }
    CheckSame(request, pair_.Execute(request), expected);
  }

  std::string NewRequestId() { return absl::StrCat("request-", ++last_request_id_); }

  // One that is sent again, now and then.
  v1::BatchExecuteRequest NextAtomic(RandomOperations& random) {
    if (!named_batches_.empty() && random.Below(8) == 0) return named_batches_[random.Below(named_batches_.size())];
    v1::BatchExecuteRequest request;
    request.set_atomic(true);
    for (size_t count = 1 + random.Below(kOperations); count > 0; --count) {
      *request.add_operations() = random.Next(model_.revision());
    }
    if (random.Below(4) == 0) {
      request.set_request_id(NewRequestId());
      named_batches_.push_back(request);
    }
    return request;
  }

  v1::BatchExecuteRequest NextIndependent(RandomOperations& random) {
    v1::BatchExecuteRequest request;
    for (size_t count = 1 + random.Below(kOperations); count > 0; --count) {
      *request.add_operations() = NextOperation(random);
    }
    return request;
  }
  // One that is sent again, now and then, or has the id of another one.
  v1::BatchOperation NextOperation(RandomOperations& random) {
    if (!named_.empty() && random.Below(8) == 0) return named_[random.Below(named_.size())];
    v1::BatchOperation operation = random.Next(model_.revision());
    std::string* id = MutableRequestId(operation);
    if (!id || random.Below(4) != 0) return operation;
    *id = random.Below(10) == 0 ? "request-1" : NewRequestId();
    named_.push_back(operation);
    return operation;
  }

  void PassTime(int64_t micros) {
    pair_.PassTime(micros);
    model_.SetTime(pair_.now_micros());
    // Whatever expired is absent at once; each gets a revision when it is removed, in an order that is the server's.
    CheckReads();
    model_.RemoveExpired();
    pair_.AwaitRevision(model_.revision());
    CheckState();
  }
  void CheckReads() {
    v1::BatchExecuteRequest request;
    std::vector<std::string> expected;
    for (const v1::BatchOperation& read : model_.ReadAll()) {
      *request.add_operations() = read;
      expected.push_back(model_.Do(read));
    }
    CheckSame(request, pair_.Execute(request), expected);
  }

  ModelPair pair_;
  ReferenceModel model_;
  uint64_t operations_ = 0;
  uint64_t last_request_id_ = 0;
  std::vector<v1::BatchOperation> named_;
  std::vector<v1::BatchExecuteRequest> named_batches_;
};

TEST_CASE("random commands are answered as the model says, and leave what it says, through restarts and compaction") {
  const LogCapture log;
  INFO("KVS_SEED=" << TestSeed());
  setenv("RC_PARAMS", absl::StrCat("seed=", TestSeed()).c_str(), 0);
  uint64_t operations = 0;
  CHECK(rc::check([&operations] {
    const auto retention = *rc::gen::element(txn::Retention::kOnDelete, txn::Retention::kFull);
    const auto steps = *rc::gen::container<std::vector<Step>>(kSteps, AnyStep());
    Comparison comparison(retention);
    for (const Step& step : steps) comparison.Do(step);
    comparison.Do({Step::Kind::kRestart, 0});
    operations += comparison.operations();
  }));
  CHECK(operations >= 100'000);
}

}  // namespace
}  // namespace kvs
