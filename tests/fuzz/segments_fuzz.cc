// The files of a ledger: whatever they hold, a scan says what is wrong, and a ledger that it accepts opens with just
// the revisions that it found, again and again.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/crc32c.h"
#include "common/errors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/sample_frames.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/file/header_fields.h"
#include "txn_server/log/file/log_directory.h"
#include "txn_server/log/file/log_scan.h"

namespace kvs::fuzz::segments {

using namespace kvs::txn;  // NOLINT(build/namespaces): all that is tested is there

constexpr char kDirectory[] = "/log";
constexpr size_t kMaxSegments = 4;

// How a file is given: as it is, or made more likely to be accepted.
enum Help : uint8_t {
  kPad = 1,        // zeros up to the smallest size of a segment
  kChecksums = 2,  // right checksums
  kChain = 4,      // each frame and segment names the one before
};

void SetHeaderCrc(std::string& bytes, size_t offset, size_t crc_at) {
  Put32(bytes, offset + crc_at, Crc32c(absl::string_view(bytes).substr(offset, crc_at)));
}

// Corrects what belongs to the frame that begins at `offset`; its payload is cut where the file ends.
void MendFrame(std::string& bytes, size_t offset, uint8_t help, uint32_t* previous_crc) {
  SetHeaderCrc(bytes, offset, kFrameHeaderBytes - 4);
  FrameHeader header;
  const absl::string_view sector = absl::string_view(bytes).substr(offset);
  // The fields are read also where it begins like one of another size.
  static_cast<void>(DecodeFrameHeader(sector, &header));
  header.payload_bytes =
      static_cast<uint32_t>(std::min<size_t>(header.payload_bytes, sector.size() - kFrameHeaderBytes));
  header.payload_crc32c = Crc32c(sector.substr(kFrameHeaderBytes, header.payload_bytes));
  if ((help & kChain) != 0) {
    header.offset = offset;
    header.previous_crc32c = *previous_crc;
  }
  const std::string encoded = EncodeFrameHeader(header);
  bytes.replace(offset, encoded.size(), encoded);
  *previous_crc = FrameHeaderCrc(encoded);
}

void MendSegment(std::string& bytes, uint8_t help, uint32_t* previous_crc) {
  if (bytes.size() < kSegmentHeaderBytes) return;
  SetHeaderCrc(bytes, 0, kSegmentHeaderBytes - 4);
  SegmentHeader header;
  if (!DecodeSegmentHeader(bytes, &header).empty()) return;
  if ((help & kChain) != 0) {
    header.predecessor_crc32c = *previous_crc;
    bytes.replace(0, kSegmentHeaderBytes, EncodeSegmentHeader(header));
  }
  *previous_crc = SegmentHeaderCrc(bytes);
  for (size_t offset = kSegmentHeaderBytes; offset + kSectorBytes <= bytes.size(); offset += kSectorBytes) {
    if (BeginsWithFrameMagic(absl::string_view(bytes).substr(offset))) MendFrame(bytes, offset, help, previous_crc);
  }
}

void WriteFiles(absl::string_view input, MemoryFileSystem& files) {
  Pieces pieces(input);
  uint32_t previous_crc = 0;
  for (uint64_t id = 1; id <= kMaxSegments && !pieces.empty(); ++id) {
    const uint8_t help = pieces.Byte();
    std::string bytes(pieces.Block());
    if ((help & kPad) != 0) bytes.resize(std::max<size_t>(bytes.size(), kMinSegmentBytes));
    if ((help & kChecksums) != 0) MendSegment(bytes, help, &previous_crc);
    files.SetContents(SegmentPath(kDirectory, id), bytes);
  }
}

FileTxnLogOptions Options(MemoryFileSystem& files) {
  FileTxnLogOptions options;
  options.directory = kDirectory;
  options.segment_bytes = kMinSegmentBytes;
  options.file_system = &files;
  options.compaction.retention = Retention::kFull;
  options.compaction.ballast_bytes = 0;
  return options;
}

// An error of a damaged ledger says where it is.
void CheckError(const absl::Status& status) {
  if (Is(status, errors::kUnsupportedLogVersion)) return;
  Require(Is(status, errors::kDamagedLog), absl::StrCat("refused, but not as damaged: ", status.ToString()));
  for (const char* particular : {"file", "offset", "revision"}) {
    Require(!MetadataOf(status, particular).empty(), absl::StrCat("the error names no ", particular));
  }
}

// Reads a log from a revision to its end, and checks that nothing is left out. Counts may be of any size.
absl::StatusOr<std::string> ReadPayloads(TxnLog& log, uint64_t revision, uint64_t last_revision) {
  auto cursor = log.Replay(revision);
  if (!cursor.ok()) return cursor.status();
  std::string payloads;
  while (true) {
    const auto frame = (*cursor)->Next();
    if (!frame.ok()) return frame.status();
    if (!*frame) break;
    Require((*frame)->first_revision == revision, "a replay leaves something out");
    revision += (*frame)->count;
    payloads += std::string((*frame)->transactions);
  }
  Require(revision == last_revision + 1, "the ledger does not hold what it should");
  return payloads;
}

// Opens what a scan accepted, and compares it with what that saw. `checked` says what is wrong with the transactions.
void CheckOpen(MemoryFileSystem& files, const LogScan& scan, const std::string& payloads, const absl::Status& checked) {
  const auto log = OpenFileTxnLog(Options(files));
  RequireOk(log.status(), "a ledger that was scanned without fault does not open");
  const LogPosition position = (*log)->position();
  Require(position.durable_revision == scan.tip.last_revision, "the ledger ends at another revision than its scan");
  Require(position.epoch == scan.tip.epoch, "the ledger is of another epoch than its scan");
  const auto all = ReadPayloads(**log, position.compacted_revision + 1, position.durable_revision);
  if (checked.ok()) {
    RequireOk(all.status(), "the ledger cannot be read");
    Require(*all == payloads, "the ledger holds something else than was scanned");
  } else {
    Require(!all.ok(), "transactions are replayed that are not what their frame says");
    CheckError(all.status());
  }
  RequireOk((*log)->Close(), "the ledger cannot be closed");
}

void Run(absl::string_view input) {
  MemoryFileSystem files;
  WriteFiles(input, files);
  const auto names = files.List(kDirectory);
  if (!names.ok() || names->empty()) return;
  LogScan scan;
  std::string payloads;
  ScanOptions options;
  options.visit = [&payloads](const SegmentSummary&, const StoredFrame& frame) {
    if (frame.header.kind == FrameKind::kTransactions) payloads += std::string(frame.payload);
  };
  if (absl::Status status = ScanLog(files, kDirectory, options, &scan); !status.ok()) {
    CheckError(status);
    Require(!OpenFileTxnLog(Options(files)).ok(), "a damaged ledger opens");
    return;
  }
  LogScan again;
  ScanOptions thorough;
  thorough.check_transactions = true;
  const absl::Status checked = ScanLog(files, kDirectory, thorough, &again);
  if (!checked.ok()) CheckError(checked);
  CheckOpen(files, scan, payloads, checked);
  RequireOk(ScanLog(files, kDirectory, {}, &again), "a ledger that was opened and closed is damaged");
  Require(!again.torn, "a torn frame was kept");
  Require(again.tip.last_revision == scan.tip.last_revision, "opening and closing changed what the ledger holds");
  CheckOpen(files, again, payloads, checked);
}

// The files of a ledger as the input that gives them.
std::string InputOf(MemoryFileSystem& files, uint8_t help) {
  std::string input;
  for (auto [path, bytes] : files.AllContents(std::string(kDirectory) + "/0")) {
    const size_t end = bytes.find_last_not_of('\0');
    if (bytes.size() == kMinSegmentBytes) bytes.resize(end == std::string::npos ? 0 : end + 1);
    input += static_cast<char>(help);
    input += Block(bytes);
  }
  return input;
}

void Append(TxnLog& log, const SampleFrame& frame) {
  RequireOk(log.Append(log.position().epoch, {frame.frame()}), "a seed cannot be written");
}

std::unique_ptr<TxnLog> OpenForSeed(MemoryFileSystem& files) {
  FileTxnLogOptions options = Options(files);
  options.new_log_id = "0123456789abcdef";
  auto log = OpenFileTxnLog(std::move(options));
  RequireOk(log.status(), "a seed cannot be opened");
  RequireOk((*log)->BeginEpoch("writer").status(), "a seed has no writer");
  return *std::move(log);
}

// Of the first segment, the last sector with anything in it.
void ZeroLastSector(MemoryFileSystem& files) {
  const std::string path = SegmentPath(kDirectory, 1);
  std::string bytes = files.Contents(path);
  const size_t last = bytes.find_last_not_of('\0') / kSectorBytes;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(last * kSectorBytes), bytes.end(), '\0');
  files.SetContents(path, bytes);
}

std::vector<Seed> MakeSeeds() {
  constexpr uint8_t kAllHelp = kPad | kChecksums | kChain;
  std::vector<Seed> seeds;
  for (const bool closes : {false, true}) {
    MemoryFileSystem files;
    auto log = OpenForSeed(files);
    Append(*log, MakeFrame(1, 2));
    Append(*log, MakeFrameOfSize(3, 700));
    if (closes) RequireOk(log->Close(), "a seed cannot be closed");
    log.reset();
    seeds.push_back({closes ? "sealed" : "unsealed", InputOf(files, closes ? uint8_t{kPad} : kAllHelp)});
    // A frame of which the last sector was not written, or the seal.
    ZeroLastSector(files);
    seeds.push_back({closes ? "lost_seal" : "torn", InputOf(files, kPad)});
  }
  {
    MemoryFileSystem files;
    auto log = OpenForSeed(files);
    Append(*log, MakeFrameOfSize(1, 3000));
    Append(*log, MakeBatchFrame(2, 3));
    Append(*log, MakeFrame(5, 1));
    seeds.push_back({"two_segments", InputOf(files, kAllHelp)});
  }
  return seeds;
}

const Registration registration("segments", Run, MakeSeeds);

}  // namespace kvs::fuzz::segments
