// The examples of docs/file-format.md: the files in tests/golden/, which every later version has to read.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/model/transaction_codec.h"
#include "tests/support/catch.h"
#include "tests/support/file_ledger.h"
#include "tests/support/log_state.h"
#include "tests/support/source_dir.h"

namespace kvs::txn {
namespace {

const std::string kGoldenFile = SourceDir() + "/tests/golden/file_ledger_v1.log";
const std::string kGoldenSnapshot = SourceDir() + "/tests/golden/file_ledger_v1.snap";
const std::string kFormatPage = SourceDir() + "/docs/file-format.md";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

// A put and an increment, one second apart.
SampleFrame ExampleFrame() {
  Transaction put;
  put.actor = "spiffe://kvs/client/alice";
  put.type = ValueType::kInt;
  put.key = "visits";
  put.operation = operation::Put{int64_t{41}};
  EncodedTransaction first(put);
  first.Stamp(1, 1'700'000'000'000'000);
  Transaction increment = put;
  increment.previous_revision = 1;
  increment.operation = operation::IntIncrement{1, 42};
  EncodedTransaction second(increment);
  second.Stamp(2, 1'700'000'001'000'000);
  return {1, 2, first.bytes() + second.bytes()};
}

void CheckEqualBytes(const std::string& written, const std::string& golden) {
  REQUIRE(written.size() == golden.size());
  for (size_t at = 0; at < golden.size(); ++at) {
    INFO("byte " << at);
    REQUIRE(int{written[at]} == int{golden[at]});
  }
}

TEST_CASE("the ledger writes the examples of the format page byte for byte") {
  FileLedger ledger;
  ledger.options().segment_bytes = kMinSegmentBytes;
  // The frame of the example is enough.
  ledger.options().compaction.min_bytes = 2 * kSectorBytes;
  REQUIRE(ledger.Open() == absl::OkStatus());
  REQUIRE(ledger.log().BeginEpoch("fedcba9876543210").ok());
  REQUIRE(ledger.log().Append(1, {ExampleFrame().frame()}) == absl::OkStatus());
  ledger.AwaitCompactions(1);
  REQUIRE(ledger.log().Close() == absl::OkStatus());
  CheckEqualBytes(ledger.files().Contents(FileLedger::Path(1)), ReadFile(kGoldenFile));
  CheckEqualBytes(ledger.files().Contents(FileLedger::SnapshotPath(1)), ReadFile(kGoldenSnapshot));
}

TEST_CASE("a ledger of version 1 is read") {
  FileLedger ledger;
  const bool snapshot = GENERATE(false, true);
  ledger.files().SetContents(FileLedger::Path(1), ReadFile(kGoldenFile));
  if (snapshot) ledger.files().SetContents(FileLedger::SnapshotPath(1), ReadFile(kGoldenSnapshot));
  SegmentHeader spare;
  spare.state = SegmentState::kSpare;
  spare.log_id = "0123456789abcdef";
  spare.segment_id = 2;
  spare.segment_bytes = kMinSegmentBytes;
  std::string bytes = EncodeSegmentHeader(spare);
  bytes.resize(kMinSegmentBytes);
  ledger.files().SetContents(FileLedger::Path(2), bytes);
  REQUIRE(ledger.Open() == absl::OkStatus());
  CHECK(ledger.notices().empty());
  const LogPosition position = ledger.log().position();
  CHECK(position.log_id == "0123456789abcdef");
  CHECK(position.epoch == 1);
  CHECK(position.writer_id == "fedcba9876543210");
  CHECK(position.durable_revision == 2);
  CHECK(position.snapshot_revision == (snapshot ? 2 : 0));
  CHECK(ReadAll(ledger.log())->bytes == ExampleFrame().bytes);
  const auto state = ReadState(ledger.log());
  REQUIRE(state.status() == absl::OkStatus());
  CHECK(state->keys().size() == 1);
  const KeyState* visits = state->Find(ValueType::kInt, "visits");
  REQUIRE(visits != nullptr);
  CHECK(std::get<int64_t>(visits->value()) == 42);
  CHECK(visits->revision() == 2);
  CHECK(state->Snapshot() == StateOf(ExampleFrame().bytes)->Snapshot());
}

TEST_CASE("the hex dumps on the format page are those of the examples") {
  std::string golden = ReadFile(kGoldenFile);
  std::istringstream page(ReadFile(kFormatPage));
  size_t lines = 0;
  size_t snapshot_lines = 0;
  for (std::string line; std::getline(page, line);) {
    // From where it is named on, it is the snapshot.
    if (snapshot_lines == 0 && absl::StrContains(line, "tests/golden/file_ledger_v1.snap")) {
      golden = ReadFile(kGoldenSnapshot);
      snapshot_lines = 1;
    }
    // "00000210  03 00 00 00 00 00 00 00  ...", as hexdump -C prints it.
    unsigned offset = 0;
    int used = 0;
    if (line.size() < 58 || std::sscanf(line.c_str(), "%8x  %n", &offset, &used) != 1 || used != 10) continue;
    INFO(line);
    std::istringstream digits(line.substr(10, 48));
    for (size_t i = 0; i < 16 && offset + i < golden.size(); ++i) {
      unsigned byte = 0;
      REQUIRE(digits >> std::hex >> byte);
      REQUIRE(byte == static_cast<unsigned char>(golden.at(offset + i)));
    }
    ++(snapshot_lines == 0 ? lines : snapshot_lines);
  }
  CHECK(lines >= 25);
  CHECK(snapshot_lines >= 20);
}

}  // namespace
}  // namespace kvs::txn
