// What every TxnLog promises, checked against every kind of log.
#include <atomic>
#include <random>
#include <thread>

#include "common/errors.h"
#include "common/limits.h"
#include "tests/support/catch.h"
#include "tests/support/log_state.h"
#include "tests/support/random_history.h"
#include "tests/support/read_all.h"
#include "tests/support/sample_frames.h"
#include "tests/support/test_size.h"
#include "tests/support/txn_log_factory.h"
#include "txn_server/log/frame.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {
namespace {

const std::string kWriter = "a writer's id 16";
const std::string kOtherWriter = "another one's id";

// One of the logs, with small verbs.
class Contract {
 public:
  Contract() {
    const size_t which = GENERATE(range(size_t{0}, TxnLogFactories().size()));
    name_ = TxnLogFactories()[which].name;
    factory_ = TxnLogFactories()[which].make();
    log_ = factory_->Open();
  }

  const std::string& name() const { return name_; }
  TxnLog& log() { return *log_; }
  uint64_t epoch() const { return epoch_; }
  bool is_remote() const { return factory_->is_remote(); }

  void Begin(const std::string& writer_id = kWriter) {
    const auto epoch = log_->BeginEpoch(writer_id);
    REQUIRE(epoch.status() == absl::OkStatus());
    epoch_ = *epoch;
  }

  absl::Status Append(const std::vector<SampleFrame>& samples) {
    std::vector<Frame> frames;
    for (const SampleFrame& sample : samples) frames.push_back(sample.frame());
    return log_->Append(epoch_, frames);
  }

  // Appends `count` transactions and returns their bytes.
  std::string Write(uint32_t count = 1, const std::string& text = "value") {
    const SampleFrame frame = MakeFrame(log_->position().durable_revision + 1, count, text);
    REQUIRE(Append({frame}) == absl::OkStatus());
    return frame.bytes;
  }

  void AwaitSnapshot() { factory_->AwaitSnapshot(*log_); }

  // False, with nothing done, for a log that cannot.
  bool Reopen(bool close) {
    if (!factory_->can_reopen()) return false;
    if (close) REQUIRE(log_->Close() == absl::OkStatus());
    log_.reset();
    log_ = factory_->Open();
    return true;
  }

 private:
  std::string name_;
  std::unique_ptr<TxnLogFactory> factory_;
  std::unique_ptr<TxnLog> log_;
  uint64_t epoch_ = 0;
};

std::string BytesFrom(TxnLog& log, uint64_t revision) {
  const auto all = ReadAll(log, revision);
  REQUIRE(all.status() == absl::OkStatus());
  return all->bytes;
}

TEST_CASE("contract: a new log is empty and has an id") {
  Contract contract;
  INFO(contract.name());
  const LogPosition position = contract.log().position();
  CHECK(position.log_id.size() == 16);
  CHECK(position.epoch == 0);
  CHECK(position.writer_id.empty());
  CHECK(position.durable_revision == 0);
  CHECK_FALSE(contract.log().backend().empty());
  CHECK(BytesFrom(contract.log(), 1).empty());
}

TEST_CASE("contract: epochs count from 1 and name their writer") {
  Contract contract;
  INFO(contract.name());
  contract.Begin(kWriter);
  CHECK(contract.epoch() == 1);
  CHECK(contract.log().position().writer_id == kWriter);
  contract.Begin(kOtherWriter);
  CHECK(contract.epoch() == 2);
  CHECK(contract.log().position().epoch == 2);
  CHECK(contract.log().position().writer_id == kOtherWriter);
  CHECK(contract.log().position().durable_revision == 0);
}

TEST_CASE("contract: a writer's id has 1 to 64 bytes") {
  Contract contract;
  INFO(contract.name());
  CHECK(Is(contract.log().BeginEpoch("").status(), errors::kMalformedRequest));
  CHECK(Is(contract.log().BeginEpoch(std::string(65, 'w')).status(), errors::kMalformedRequest));
  CHECK(contract.log().position().epoch == 0);
  CHECK(contract.log().BeginEpoch(std::string(64, 'w')).status() == absl::OkStatus());
}

TEST_CASE("contract: groups are made ready while others are appended, and appended in turn") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  // All of a group, and so of the second and the third one, is added before what precedes it is durable.
  const std::vector<SampleFrame> frames = {MakeFrame(1, 3), MakeFrame(4, 1), MakeFrame(5, 2), MakeFrame(7, 40)};
  auto first = contract.log().NewGroup();
  auto second = contract.log().NewGroup();
  auto third = contract.log().NewGroup();
  first->Add(frames[0].frame());
  second->Add(frames[1].frame());
  second->Add(frames[2].frame());
  third->Add(frames[3].frame());
  CHECK(first->Append(contract.epoch()) == absl::OkStatus());
  CHECK(contract.log().position().durable_revision == 3);
  CHECK(second->Append(contract.epoch()) == absl::OkStatus());
  CHECK(contract.log().position().durable_revision == 6);
  CHECK(third->Append(contract.epoch()) == absl::OkStatus());
  CHECK(contract.log().position().durable_revision == 46);
  CHECK(BytesFrom(contract.log(), 1) == frames[0].bytes + frames[1].bytes + frames[2].bytes + frames[3].bytes);
}

TEST_CASE("contract: a group that was made ready for an epoch before is refused") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  const uint64_t before = contract.epoch();
  const SampleFrame frame = MakeFrame(1, 3);
  auto group = contract.log().NewGroup();
  group->Add(frame.frame());
  contract.Begin(kOtherWriter);
  CHECK(Is(group->Append(before), errors::kFenced));
  CHECK(contract.log().position().durable_revision == 0);
  const std::string written = contract.Write(2);
  CHECK(BytesFrom(contract.log(), 1) == written);
}

TEST_CASE("contract: what was appended is durable and read back byte for byte") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  std::string written = contract.Write(3);
  written += contract.Write(1, "");
  written += contract.Write(100, std::string(1000, 'y'));
  CHECK(contract.log().position().durable_revision == 104);
  CHECK(BytesFrom(contract.log(), 1) == written);
  CHECK(contract.log().size_bytes() >= written.size());
}

TEST_CASE("contract: the frames of a group follow each other") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  const std::vector<SampleFrame> group = {MakeFrame(1, 2), MakeBatchFrame(3, 4), MakeFrame(7, 1)};
  REQUIRE(contract.Append(group) == absl::OkStatus());
  CHECK(contract.log().position().durable_revision == 7);
  CHECK(BytesFrom(contract.log(), 1) == group[0].bytes + group[1].bytes + group[2].bytes);
}

TEST_CASE("contract: an empty group changes nothing") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  CHECK(contract.Append({}) == absl::OkStatus());
  CHECK(contract.log().position().durable_revision == 0);
}

TEST_CASE("contract: only the current epoch appends") {
  Contract contract;
  INFO(contract.name());
  const SampleFrame frame = MakeFrame(1, 1);
  CHECK(Is(contract.log().Append(0, {frame.frame()}), errors::kFenced));
  contract.Begin();
  contract.Begin();
  CHECK(Is(contract.log().Append(contract.epoch() - 1, {frame.frame()}), errors::kFenced));
  CHECK(Is(contract.log().Append(contract.epoch() + 1, {frame.frame()}), errors::kFenced));
  CHECK(contract.log().position().durable_revision == 0);
  CHECK(BytesFrom(contract.log(), 1).empty());
  CHECK(contract.log().Append(contract.epoch(), {frame.frame()}) == absl::OkStatus());
}

TEST_CASE("contract: a gap, a repetition and a gap inside a group are refused and change nothing") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  const std::string written = contract.Write(3);
  CHECK(Is(contract.Append({MakeFrame(5, 1)}), errors::kGap));
  if (contract.is_remote()) return;
  CHECK(Is(contract.Append({MakeFrame(3, 1)}), errors::kGap));
  CHECK(Is(contract.Append({MakeFrame(1, 3)}), errors::kGap));
  CHECK(Is(contract.Append({MakeFrame(4, 1), MakeFrame(6, 1)}), errors::kGap));
  CHECK(Is(contract.Append({MakeFrame(4, 2), MakeFrame(5, 1)}), errors::kGap));
  CHECK(contract.log().position().durable_revision == 3);
  CHECK(BytesFrom(contract.log(), 1) == written);
  contract.Write(1);
}

TEST_CASE("contract: a replay begins at any revision, and nowhere else") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  std::string written;
  for (int i = 0; i < 10; ++i) written += contract.Write(1 + i % 3);
  const SampleFrame batch = MakeBatchFrame(contract.log().position().durable_revision + 1, 3);
  REQUIRE(contract.Append({batch}) == absl::OkStatus());
  written += batch.bytes;
  const uint64_t last = contract.log().position().durable_revision;
  const SampleFrame whole{1, static_cast<uint32_t>(last), written};
  for (uint64_t from = 1; from <= last; ++from) {
    INFO("from " << from);
    CHECK(BytesFrom(contract.log(), from) == FrameFrom(whole.frame(), from)->transactions);
  }
  CHECK(BytesFrom(contract.log(), last + 1).empty());
  CHECK(absl::IsOutOfRange(contract.log().Replay(0).status()));
  CHECK(absl::IsOutOfRange(contract.log().Replay(last + 2).status()));
}

TEST_CASE("contract: frames are read back whole batches at a time") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  for (int i = 0; i < 30; ++i) {
    const uint64_t next = contract.log().position().durable_revision + 1;
    REQUIRE(contract.Append({MakeFrame(next, 1), MakeBatchFrame(next + 1, 5)}) == absl::OkStatus());
  }
  auto cursor = contract.log().Replay(1);
  REQUIRE(cursor.ok());
  while (true) {
    const auto frame = (*cursor)->Next();
    REQUIRE(frame.status() == absl::OkStatus());
    if (!frame->has_value()) break;
    REQUIRE(CheckFrame(**frame) == absl::OkStatus());
  }
  CHECK((*cursor)->Next()->has_value() == false);
}

TEST_CASE("contract: a replay ends where the log ended when it began") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  const std::string before = contract.Write(3);
  auto cursor = contract.log().Replay(1);
  auto at_end = contract.log().Replay(4);
  REQUIRE(cursor.ok());
  REQUIRE(at_end.ok());
  contract.Write(50, std::string(1000, 'z'));
  const auto frame = (*cursor)->Next();
  REQUIRE(frame.status() == absl::OkStatus());
  REQUIRE(frame->has_value());
  CHECK((*frame)->transactions == before);
  CHECK_FALSE((*cursor)->Next()->has_value());
  CHECK_FALSE((*at_end)->Next()->has_value());
}

TEST_CASE("contract: replays run while others append") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  std::atomic<bool> done = false;
  std::atomic<int> bad = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const uint64_t durable = contract.log().position().durable_revision;
        const auto all = ReadAll(contract.log(), durable / 2 + 1);
        if (!all.ok() || all->first_revision + all->count - 1 < durable) ++bad;
        contract.log().size_bytes();
      }
    });
  }
  for (int i = 0; i < 60; ++i) contract.Write(1 + i % 7, std::string(200, 'r'));
  done = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(bad == 0);
}

TEST_CASE("contract: the largest frame is kept, a larger group is refused") {
  Contract contract;
  INFO(contract.name());
  contract.Begin();
  const SampleFrame large = MakeFrameOfSize(1, kMaxFrameBytes);
  REQUIRE(contract.Append({large}) == absl::OkStatus());
  if (!contract.is_remote()) {
    CHECK(Is(contract.Append({MakeFrameOfSize(2, kMaxFrameBytes - 100), MakeFrame(3, 2)}), errors::kMalformedFrame));
    CHECK(contract.log().position().durable_revision == 1);
  }
  const std::string next = contract.Write(2);
  // Compared outside of CHECK, which would print 16 MiB.
  const bool kept = BytesFrom(contract.log(), 1) == large.bytes + next;
  CHECK(kept);
}

TEST_CASE("contract: being idle changes nothing") {
  Contract contract;
  INFO(contract.name());
  CHECK(contract.log().Idle() == absl::OkStatus());
  contract.Begin();
  CHECK(contract.log().Idle() == absl::OkStatus());
  std::string written = contract.Write(2);
  for (int i = 0; i < 3; ++i) CHECK(contract.log().Idle() == absl::OkStatus());
  written += contract.Write(2);
  CHECK(contract.log().Idle() == absl::OkStatus());
  CHECK(contract.log().position().durable_revision == 4);
  CHECK(BytesFrom(contract.log(), 1) == written);
}

TEST_CASE("contract: a log that is opened again has everything") {
  Contract contract;
  INFO(contract.name());
  const bool close = GENERATE(true, false);
  const std::string log_id = contract.log().position().log_id;
  if (!contract.Reopen(close)) return;
  CHECK(contract.log().position().log_id == log_id);
  CHECK(contract.log().position().epoch == 0);

  std::string written;
  for (uint64_t epoch = 1; epoch <= 4; ++epoch) {
    contract.Begin(epoch % 2 == 0 ? kWriter : kOtherWriter);
    CHECK(contract.epoch() == epoch);
    for (int i = 0; i < 5; ++i) written += contract.Write(3, std::string(100, 'o'));
    const LogPosition before = contract.log().position();
    REQUIRE(contract.Reopen(close));
    const LogPosition after = contract.log().position();
    CHECK(after.log_id == log_id);
    CHECK(after.epoch == epoch);
    CHECK(after.writer_id == before.writer_id);
    CHECK(after.durable_revision == epoch * 15);
    CHECK(BytesFrom(contract.log(), 1) == written);
  }
}

// Appends transactions of all types until these take so many bytes.
void WriteHistory(Contract& contract, RandomHistory& history, size_t bytes) {
  for (size_t written = 0; written < bytes;) {
    const SampleFrame frame = history.NextFrame(20);
    REQUIRE(contract.Append({frame}) == absl::OkStatus());
    written += frame.bytes.size();
  }
}

void CheckState(Contract& contract, const RandomHistory& history) {
  const auto state = ReadState(contract.log());
  REQUIRE(state.status() == absl::OkStatus());
  const bool same = state->Snapshot() == history.state().Snapshot();
  CHECK(same);
}

TEST_CASE("contract: the state of an empty log is empty") {
  Contract contract;
  INFO(contract.name());
  const auto state = ReadState(contract.log());
  REQUIRE(state.status() == absl::OkStatus());
  CHECK(state->keys().empty());
  contract.Begin();
  REQUIRE(ReadState(contract.log()).status() == absl::OkStatus());
}

TEST_CASE("contract: the state is that of the transactions, with a snapshot and without") {
  Contract contract;
  const uint64_t seed = TestSeed();
  INFO(contract.name() << ", KVS_SEED=" << seed);
  RandomHistory history(seed);
  contract.Begin();
  WriteHistory(contract, history, 3000);
  CheckState(contract, history);
  WriteHistory(contract, history, 50'000);
  contract.AwaitSnapshot();
  const LogPosition position = contract.log().position();
  CHECK(position.snapshot_revision > 0);
  CHECK(position.snapshot_revision <= position.durable_revision);
  CheckState(contract, history);
  WriteHistory(contract, history, 3000);
  CheckState(contract, history);
  const std::string all = BytesFrom(contract.log(), 1);
  const bool same = StateOf(all)->Snapshot() == history.state().Snapshot();
  CHECK(same);
  if (!contract.Reopen(GENERATE(true, false))) return;
  CHECK(contract.log().position().snapshot_revision > 0);
  CheckState(contract, history);
}

TEST_CASE("contract: a state is that of when it was asked for, and says of what revision and time its snapshot is") {
  Contract contract;
  const uint64_t seed = TestSeed();
  INFO(contract.name() << ", KVS_SEED=" << seed);
  RandomHistory history(seed);
  contract.Begin();
  WriteHistory(contract, history, 50'000);
  contract.AwaitSnapshot();
  auto replay = contract.log().ReplayState();
  REQUIRE(replay.status() == absl::OkStatus());
  const std::string before = history.state().Snapshot();
  WriteHistory(contract, history, 50'000);
  LogState state;
  REQUIRE(ReadSnapshot(*replay, state) == absl::OkStatus());
  TransactionListReader reader;
  const std::string at_snapshot = BytesFrom(contract.log(), replay->snapshot_revision);
  reader.Reset(at_snapshot);
  CHECK((*reader.Next())->transaction.time_micros == replay->snapshot_time_micros);
  while (true) {
    const auto frame = replay->tail->Next();
    REQUIRE(frame.status() == absl::OkStatus());
    if (!*frame) break;
    REQUIRE(state.ApplyList((*frame)->transactions) == absl::OkStatus());
  }
  const bool same = state.Snapshot() == before;
  CHECK(same);
}

TEST_CASE("contract: an epoch without transactions survives") {
  Contract contract;
  INFO(contract.name());
  contract.Begin(kWriter);
  if (!contract.Reopen(false)) return;
  CHECK(contract.log().position().epoch == 1);
  CHECK(contract.log().position().writer_id == kWriter);
  CHECK(Is(contract.log().Append(2, {MakeFrame(1, 1).frame()}), errors::kFenced));
}

// A snapshot as one list.
std::string Drain(std::unique_ptr<SnapshotCursor> cursor) {
  std::string all;
  while (cursor) {
    const auto chunk = cursor->Next();
    REQUIRE(chunk.status() == absl::OkStatus());
    if (!*chunk) break;
    all += std::string((*chunk)->transactions);
  }
  return all;
}

// A snapshot of two keys, in their order, and of a request.
class TwoKeys final : public SnapshotCursor {
 public:
  static std::string Bytes() {
    ::txn::v1::TransactionList list;
    *list.add_transactions() = SampleTransaction(3);
    *list.add_transactions() = SampleTransaction(7);
    return Encode(RememberedRequest{4, 40, "ann", "id", {11, 2, "answer"}}) + list.SerializeAsString();
  }
  absl::StatusOr<std::optional<SnapshotChunk>> Next() override {
    if (std::exchange(done_, true)) return std::nullopt;
    return SnapshotChunk{bytes_};
  }

 private:
  const std::string bytes_ = Bytes();
  bool done_ = false;
};

TEST_CASE("contract: a log begins with the snapshot of another one") {
  Contract contract;
  INFO(contract.name());
  if (contract.is_remote()) return;
  const std::string log_id = contract.log().position().log_id;
  REQUIRE(contract.log().Import({9, 5, kWriter, 1'700'000'000'000'009}, std::make_unique<TwoKeys>()) ==
          absl::OkStatus());
  const SampleFrame frame = MakeFrame(10, 4);
  REQUIRE(contract.log().Append(5, {frame.frame()}) == absl::OkStatus());
  for (int opened = 0; opened < 3; ++opened) {
    INFO("opened again " << opened << " times");
    const LogPosition position = contract.log().position();
    CHECK(position.log_id == log_id);
    CHECK(position.durable_revision == 13);
    CHECK(position.epoch == 5);
    CHECK(position.writer_id == kWriter);
    CHECK(position.compacted_revision == 9);
    CHECK(position.snapshot_revision == 9);
    CHECK(BytesFrom(contract.log(), 10) == frame.bytes);
    CHECK(Is(contract.log().Replay(9).status(), errors::kCompacted));
    for (const bool history : {false, true}) {
      auto state = history ? contract.log().ReplayHistory() : contract.log().ReplayState();
      REQUIRE(state.status() == absl::OkStatus());
      CHECK(state->snapshot_revision == 9);
      CHECK(state->snapshot_time_micros == 1'700'000'000'000'009);
      CHECK(state->snapshot_transactions == 2);
      CHECK(Drain(std::move(state->snapshot)) == TwoKeys::Bytes());
      const auto next = state->tail->Next();
      REQUIRE(next.status() == absl::OkStatus());
      CHECK((*next)->transactions == frame.bytes);
    }
    REQUIRE(contract.Reopen(opened == 0));
  }
  contract.Begin(kOtherWriter);
  CHECK(contract.epoch() == 6);
}

TEST_CASE("contract: a log begins in the epoch of another one and has no snapshot") {
  Contract contract;
  INFO(contract.name());
  if (contract.is_remote()) return;
  REQUIRE(contract.log().Import({0, 7, kWriter, 0}, nullptr) == absl::OkStatus());
  REQUIRE(contract.Reopen(true));
  CHECK(contract.log().position().epoch == 7);
  CHECK(contract.log().position().durable_revision == 0);
  contract.Begin();
  CHECK(contract.epoch() == 8);
  const std::string written = contract.Write(2);
  REQUIRE(contract.Reopen(true));
  CHECK(BytesFrom(contract.log(), 1) == written);
  const auto history = contract.log().ReplayHistory();
  REQUIRE(history.status() == absl::OkStatus());
  CHECK(history->snapshot_revision == 0);
  CHECK(history->snapshot == nullptr);
}

TEST_CASE("contract: only an empty log begins with the history of another one") {
  Contract contract;
  INFO(contract.name());
  if (contract.is_remote()) return;
  contract.Begin();
  const std::string written = contract.Write(2);
  CHECK(absl::IsFailedPrecondition(contract.log().Import({9, 5, kWriter, 1}, std::make_unique<TwoKeys>())));
  CHECK(contract.log().position().durable_revision == 2);
  CHECK(BytesFrom(contract.log(), 1) == written);
}

}  // namespace
}  // namespace kvs::txn
