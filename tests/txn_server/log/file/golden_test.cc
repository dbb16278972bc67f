// The example of docs/file-format.md: the file in tests/golden/, which every later version has to read.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/model/transaction_codec.h"
#include "tests/support/catch.h"
#include "tests/support/file_ledger.h"

namespace kvs::txn {
namespace {

const std::string kGoldenFile = KVS_SOURCE_DIR "/tests/golden/file_ledger_v1.log";
const std::string kFormatPage = KVS_SOURCE_DIR "/docs/file-format.md";

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

TEST_CASE("the ledger writes the example of the format page byte for byte") {
  FileLedger ledger;
  ledger.options().segment_bytes = kMinSegmentBytes;
  REQUIRE(ledger.Open() == absl::OkStatus());
  REQUIRE(ledger.log().BeginEpoch("fedcba9876543210").ok());
  REQUIRE(ledger.log().Append(1, {ExampleFrame().frame()}) == absl::OkStatus());
  REQUIRE(ledger.log().Close() == absl::OkStatus());
  const std::string written = ledger.files().Contents(FileLedger::Path(1));
  const std::string golden = ReadFile(kGoldenFile);
  REQUIRE(written.size() == golden.size());
  for (size_t at = 0; at < golden.size(); ++at) {
    INFO("byte " << at);
    REQUIRE(int{written[at]} == int{golden[at]});
  }
}

TEST_CASE("a ledger of version 1 is read") {
  FileLedger ledger;
  ledger.files().SetContents(FileLedger::Path(1), ReadFile(kGoldenFile));
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
  CHECK(ReadAll(ledger.log())->bytes == ExampleFrame().bytes);
}

TEST_CASE("the hex dump on the format page is that of the example") {
  const std::string golden = ReadFile(kGoldenFile);
  std::istringstream page(ReadFile(kFormatPage));
  size_t lines = 0;
  for (std::string line; std::getline(page, line);) {
    // "00000210  03 00 00 00 00 00 00 00  ...", as hexdump -C prints it.
    unsigned offset = 0;
    int used = 0;
    if (line.size() < 58 || std::sscanf(line.c_str(), "%8x  %n", &offset, &used) != 1 || used != 10) continue;
    INFO(line);
    std::istringstream digits(line.substr(10, 48));
    for (size_t i = 0; i < 16; ++i) {
      unsigned byte = 0;
      REQUIRE(digits >> std::hex >> byte);
      REQUIRE(byte == static_cast<unsigned char>(golden.at(offset + i)));
    }
    ++lines;
  }
  CHECK(lines >= 25);
}

}  // namespace
}  // namespace kvs::txn
