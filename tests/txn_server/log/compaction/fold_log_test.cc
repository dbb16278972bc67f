#include "txn_server/log/compaction/fold_log.h"

#include "common/limits.h"
#include "tests/support/compaction_samples.h"
#include "tests/support/random_history.h"
#include "tests/support/test_size.h"

namespace kvs::txn {
namespace {

// Folds with runs that are kept in memory.
struct Folded {
  absl::StatusOr<FoldLogResult> result = absl::UnknownError("not folded");
  std::string list;
  std::vector<size_t> runs;  // their bytes
};

Folded Fold(
    std::unique_ptr<SnapshotCursor> snapshot, std::vector<SampleFrame> frames, size_t table_bytes,
    const std::function<bool()>& cancelled = [] { return false; }) {
  Folded folded;
  FrameCursor log(std::move(frames));
  const auto spill = [&](SnapshotCursor& run) -> absl::StatusOr<std::unique_ptr<SnapshotCursor>> {
    const std::vector<std::string> chunks = ReadChunks(run);
    folded.runs.push_back(0);
    for (const std::string& chunk : chunks) folded.runs.back() += chunk.size();
    return Lists(chunks);
  };
  folded.result = FoldLog(std::move(snapshot), log, {table_bytes, spill, cancelled}, [&](const SnapshotEntry& entry) {
    folded.list += std::string(entry.bytes);
    return absl::OkStatus();
  });
  return folded;
}

constexpr size_t kTinyTable = 10'000;

TEST_CASE("a log folds to its state, however often the table is spilled") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  for (const size_t table_bytes : {size_t{0}, size_t{500}, kTinyTable, size_t{1} << 30}) {
    INFO("table of " << table_bytes);
    RandomHistory history(seed);
    for (int i = 0; i < 200; ++i) history.Next();
    const std::string snapshot = history.state().Snapshot();
    std::vector<SampleFrame> frames;
    for (int i = 0; i < 300; ++i) frames.push_back(history.NextFrame(1 + static_cast<uint32_t>(history.Pick(10))));
    const uint64_t transactions = history.revision() - 200;
    const Folded folded = Fold(Lists({snapshot}), frames, table_bytes);
    REQUIRE(folded.result.status() == absl::OkStatus());
    CHECK(folded.result->transactions == transactions);
    CHECK(folded.result->oldest_request == history.state().requests().oldest_revision());
    CHECK(history.state().requests().size() > 50);
    CHECK(folded.list == history.state().Snapshot());
    CHECK(folded.runs.empty() == (table_bytes > kTinyTable));
    if (table_bytes == 0) CHECK(folded.runs.size() > transactions / 2);
  }
}

TEST_CASE("a log without a snapshot begins with nothing, and one without transactions changes nothing") {
  RandomHistory history(1);
  const SampleFrame frame = history.NextFrame(500);
  CHECK(Fold(nullptr, {frame}, kTinyTable).list == history.state().Snapshot());
  const Folded same = Fold(Lists({history.state().Snapshot()}), {}, kTinyTable);
  REQUIRE(same.result.ok());
  CHECK(same.list == history.state().Snapshot());
  CHECK(same.result->transactions == 0);
  CHECK(same.result->time_micros == 0);
}

TEST_CASE("the result names the time of the last transaction") {
  const SampleFrame first{1, 1, Entry(1, 0, ValueType::kInt, "b", operation::Put{int64_t{1}})};
  const SampleFrame second{2, 1, Entry(2, 0, ValueType::kInt, "a", operation::Put{int64_t{1}})};
  const Folded folded = Fold(nullptr, {first, second}, kTinyTable);
  REQUIRE(folded.result.ok());
  CHECK(folded.result->time_micros == 2);
  CHECK(folded.result->transactions == 2);
}

TEST_CASE("runs stay within the bound of the table, and none is spilled for less") {
  RandomHistory history(2, {100'000, 40, 4, true});
  std::vector<SampleFrame> frames;
  for (int i = 0; i < 2000; ++i) frames.push_back(history.NextFrame(10));
  const size_t table_bytes = 200'000;
  const Folded folded = Fold(nullptr, frames, table_bytes);
  REQUIRE(folded.result.status() == absl::OkStatus());
  REQUIRE(folded.runs.size() > 10);
  for (const size_t bytes : folded.runs) {
    CHECK(bytes <= table_bytes + 1000);
    CHECK(bytes > table_bytes / 10);
  }
}

TEST_CASE("keys that come and go, and one that changes often, are never spilled") {
  std::vector<SampleFrame> frames;
  uint64_t revision = 0;
  uint64_t counter = 0;
  for (int64_t i = 0; i < 20'000; ++i) {
    SampleFrame frame{revision + 1, 3, ""};
    const std::string key = absl::StrCat("job-", i);
    frame.bytes += Entry(revision + 1, 0, ValueType::kString, key, operation::Put{absl::string_view("work")});
    frame.bytes += Entry(revision + 2, revision + 1, ValueType::kString, key, operation::Delete{});
    frame.bytes += Entry(revision + 3, counter, ValueType::kInt, "done", operation::IntIncrement{1, i + 1});
    counter = revision += 3;
    frames.push_back(std::move(frame));
  }
  const Folded folded = Fold(nullptr, std::move(frames), kTinyTable);
  REQUIRE(folded.result.status() == absl::OkStatus());
  CHECK(folded.runs.empty());
  CHECK(Describe(folded.list) == Lines{"int done 60000<0 put"});
}

TEST_CASE("holes and disorder in a log are data loss") {
  RandomHistory history(3, {3, 10, 3, true});
  std::vector<SampleFrame> frames;
  for (int i = 0; i < 60; ++i) frames.push_back({history.revision() + 1, 1, history.Next()});
  const bool spilled = GENERATE(false, true);
  const size_t table_bytes = spilled ? 0 : kTinyTable;
  REQUIRE(Fold(nullptr, frames, table_bytes).result.ok());
  size_t found = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    auto holed = frames;
    holed.erase(holed.begin() + static_cast<std::ptrdiff_t>(i));
    // A hole shows as soon as the key that it is of changes again.
    const bool seen_again = StateOf([&] {
                              std::string list;
                              for (const SampleFrame& frame : holed) list += frame.bytes;
                              return list;
                            }())
                                .status()
                                .code() == absl::StatusCode::kDataLoss;
    if (!seen_again) continue;
    ++found;
    INFO("without frame " << i);
    CHECK(absl::IsDataLoss(Fold(nullptr, holed, table_bytes).result.status()));
  }
  CHECK(found > 30);
  auto again = frames;
  again.push_back(frames.back());
  CHECK(absl::IsDataLoss(Fold(nullptr, again, table_bytes).result.status()));
  frames.push_back({61, 1, "rubbish"});
  CHECK(absl::IsDataLoss(Fold(nullptr, frames, table_bytes).result.status()));
}

TEST_CASE("a fold can be cancelled while it reads and while it writes") {
  RandomHistory history(4, {100'000, 40, 4, true});
  std::vector<SampleFrame> frames;
  for (int i = 0; i < 600; ++i) frames.push_back(history.NextFrame(10));
  int questions = 0;
  const auto count = [&] {
    ++questions;
    return false;
  };
  REQUIRE(Fold(nullptr, frames, size_t{1} << 30, count).result.ok());
  CHECK(questions > 6);
  const int all = questions;
  for (int n = 1; n <= all; ++n) {
    int asked = 0;
    const Folded folded = Fold(nullptr, frames, size_t{1} << 30, [&] { return ++asked == n; });
    CHECK(absl::IsCancelled(folded.result.status()));
    CHECK(asked == n);
  }
}

TEST_CASE("errors of the log, of the spill and of the sink end the fold") {
  class Broken : public LogCursor {
   public:
    absl::StatusOr<std::optional<Frame>> Next() override { return absl::UnavailableError("the disk is away"); }
  };
  const auto no_spill = [](SnapshotCursor&) -> absl::StatusOr<std::unique_ptr<SnapshotCursor>> {
    return absl::ResourceExhaustedError("no room");
  };
  const auto never = [] { return false; };
  const auto sink = [](const SnapshotEntry&) { return absl::AbortedError("enough"); };
  Broken broken;
  CHECK(absl::IsUnavailable(FoldLog(nullptr, broken, {kTinyTable, no_spill, never}, sink).status()));
  RandomHistory history(5);
  const SampleFrame frame = history.NextFrame(10);
  FrameCursor log({frame});
  CHECK(absl::IsResourceExhausted(FoldLog(nullptr, log, {0, no_spill, never}, sink).status()));
  FrameCursor again({frame});
  CHECK(absl::IsAborted(FoldLog(nullptr, again, {size_t{1} << 30, no_spill, never}, sink).status()));
}

}  // namespace
}  // namespace kvs::txn
