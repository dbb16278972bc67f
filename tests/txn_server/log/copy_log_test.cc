#include "txn_server/log/copy_log.h"

#include "tests/support/catch.h"
#include "tests/support/memory_txn_log.h"
#include "tests/support/read_all.h"
#include "tests/support/sample_frames.h"
#include "tests/support/text_state.h"
#include "tests/support/txn_log_factory.h"

namespace kvs::txn {
namespace {

std::string Fill(TxnLog& log, uint32_t frames) {
  const auto epoch = log.BeginEpoch("writer");
  REQUIRE(epoch.ok());
  std::string written;
  for (uint32_t i = 0; i < frames; ++i) {
    const SampleFrame frame = MakeFrame(log.position().durable_revision + 1, i % 3 + 1);
    REQUIRE(log.Append(*epoch, {frame.frame()}) == absl::OkStatus());
    written += frame.bytes;
  }
  return written;
}

TEST_CASE("every kind of log is copied into every other kind, with revisions, epoch and writer") {
  for (const NamedTxnLogFactory& from : TxnLogFactories()) {
    for (const NamedTxnLogFactory& to : TxnLogFactories()) {
      const auto from_factory = from.make();
      const auto to_factory = to.make();
      if (from_factory->is_remote() || to_factory->is_remote()) continue;
      INFO(from.name << " to " << to.name);
      const auto source = from_factory->Open();
      const auto target = to_factory->Open();
      const std::string written = Fill(*source, 50);
      uint64_t told = 0;
      const auto report = CopyLog(*source, *target, [&](absl::string_view, uint64_t done, uint64_t total) {
        CHECK(done <= total);
        told = done;
      });
      REQUIRE(report.status() == absl::OkStatus());
      CHECK(report->revision == source->position().durable_revision);
      CHECK(report->transactions == report->revision);
      CHECK(report->snapshot_revision == 0);
      CHECK(told == report->revision);
      CHECK(target->position().epoch == 1);
      CHECK(target->position().writer_id == "writer");
      const auto all = ReadAll(*target);
      REQUIRE(all.status() == absl::OkStatus());
      CHECK(all->bytes == written);
    }
  }
}

TEST_CASE("a log that nobody ever wrote is copied as what it is") {
  MemoryTxnLog source;
  MemoryTxnLog target;
  const auto report = CopyLog(source, target, nullptr);
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->revision == 0);
  CHECK(target.position().epoch == 0);
}

TEST_CASE("a copy ends with the error of the target") {
  MemoryTxnLog source;
  Fill(source, 5);
  auto storage = std::make_shared<MemoryTxnLog::Storage>();
  storage->SetBeforeAppend([] { return Error(errors::kNoSpace, "full"); });
  MemoryTxnLog target(storage);
  CHECK(Is(CopyLog(source, target, nullptr).status(), errors::kNoSpace));
  CHECK(source.position().durable_revision > 0);
}

TEST_CASE("a copy that is not complete is an error") {
  MemoryTxnLog source;
  Fill(source, 5);
  LogPosition position = source.position();
  ++position.durable_revision;
  auto history = source.ReplayHistory();
  REQUIRE(history.ok());
  MemoryTxnLog target;
  CHECK(Is(CopyLog(position, *std::move(history), target, nullptr).status(), errors::kDamagedLog));
}

}  // namespace
}  // namespace kvs::txn
