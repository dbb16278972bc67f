// The writer of frames of the file ledger, onto a file that takes everything and keeps nothing.
#include "bench/micro/micro.h"
#include "txn_server/log/file/segment_writer.h"

namespace kvs::micro {
namespace {

class NoFile final : public txn::File {
 public:
  absl::StatusOr<uint64_t> Size() override { return 0; }
  absl::StatusOr<size_t> ReadAt(uint64_t, char*, size_t) override { return 0; }
  absl::Status WriteAt(uint64_t, absl::Span<const absl::string_view> pieces) override {
    benchmark::DoNotOptimize(pieces.data());
    return absl::OkStatus();
  }
  absl::Status Reserve(uint64_t) override { return absl::OkStatus(); }
  absl::Status Truncate(uint64_t) override { return absl::OkStatus(); }
  absl::Status Sync() override { return absl::OkStatus(); }
};

void WriteFrames(benchmark::State& state, size_t transactions) {
  std::string list;
  for (uint64_t i = 0; i < transactions; ++i) {
    EncodedTransaction encoded(StringPut(i + 1, 0, KeyOf(i)));
    encoded.Stamp(i + 1, 1'700'000'000'000'000);
    list += encoded.bytes();
  }
  txn::SegmentWriter writer(std::make_unique<NoFile>(), "none", 1, uint64_t{1} << 60);
  txn::FrameHeader header;
  header.kind = txn::FrameKind::kTransactions;
  header.epoch = 1;
  header.first_revision = 1;
  header.count = static_cast<uint32_t>(transactions);
  const absl::string_view payload[] = {list};
  for (auto _ : state) {
    const auto written = writer.Write(header, payload);
    if (!written.ok()) std::abort();
    header.previous_crc32c = *written;
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(list.size()));
}

const Benchmark kOne("frame_writer/1", [](benchmark::State& state) { WriteFrames(state, 1); });
const Benchmark kThousand("frame_writer/1000", [](benchmark::State& state) { WriteFrames(state, 1000); });

}  // namespace
}  // namespace kvs::micro
