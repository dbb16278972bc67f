#include "txn_server/log/file/rescued_snapshot.h"

#include "tests/support/snapshot_samples.h"

namespace kvs::txn {
namespace {

const std::string kRescuedPath = "/log/0000000001.snap";

// A snapshot of four blocks with a key each.
class FourBlocks {
 public:
  FourBlocks() {
    for (uint64_t i = 1; i <= 4; ++i) entries_.push_back(NoiseEntry(i, kTargetBlockBytes));
    summary_ = WriteSnapshot(files_, kRescuedPath, entries_);
    bytes = files_.Contents(kRescuedPath);
    offsets_ = BlockOffsets(bytes);
    REQUIRE(offsets_.size() == 5);
  }

  MemoryFileSystem& files() { return files_; }
  size_t offset(size_t block) const { return offsets_.at(block); }

  // Reads `bytes`: the numbers of the keys, and 0 where something is missing.
  std::vector<int> Read() {
    files_.SetContents(kRescuedPath, bytes);
    auto snapshot = RescuedSnapshot::Open(files_, summary_);
    REQUIRE(snapshot.status() == absl::OkStatus());
    std::vector<int> found;
    while (const auto part = (*snapshot)->Next()) {
      if (part->behind_loss) found.push_back(0);
      for (size_t i = 0; i < entries_.size(); ++i) {
        if (part->transactions == entries_[i]) found.push_back(static_cast<int>(i + 1));
      }
    }
    losses = (*snapshot)->losses();
    blocks_read = (*snapshot)->blocks_read();
    return found;
  }

  void CheckLoss(size_t index, size_t offset, absl::string_view what) {
    REQUIRE(index < losses.size());
    CHECK(losses[index].path == kRescuedPath);
    CHECK(losses[index].offset == offset);
    CHECK_THAT(losses[index].what, ContainsText(std::string(what)));
  }

  std::string bytes;
  std::vector<Loss> losses;
  uint64_t blocks_read = 0;

 private:
  MemoryFileSystem files_;
  std::vector<std::string> entries_;
  SnapshotSummary summary_;
  std::vector<size_t> offsets_;
};

TEST_CASE("of a snapshot that is whole nothing is lost") {
  FourBlocks sample;
  CHECK(sample.Read() == std::vector<int>{1, 2, 3, 4});
  CHECK(sample.losses.empty());
  CHECK(sample.blocks_read == 4);
}

TEST_CASE("a damaged byte costs the block that it is in") {
  for (size_t block = 0; block < 4; ++block) {
    for (const size_t at : {size_t{0}, size_t{9}, kBlockHeaderBytes - 1, kBlockHeaderBytes, size_t{100'000}}) {
      INFO("block " << block << " at " << at);
      FourBlocks sample;
      sample.bytes[sample.offset(block) + at] ^= 1;
      std::vector<int> expected = {1, 2, 3, 4};
      expected[block] = 0;
      CHECK(sample.Read() == expected);
      CHECK(sample.losses.size() == 1);
      sample.CheckLoss(0, sample.offset(block),
                       absl::StrCat(", ", sample.offset(block + 1) - sample.offset(block), " bytes"));
      CHECK(sample.blocks_read == 3);
    }
  }
}

TEST_CASE("blocks that are cut out or cut off are missed") {
  FourBlocks sample;
  SECTION("in the middle") {
    sample.bytes.erase(sample.offset(1), sample.offset(2) - sample.offset(1));
    CHECK(sample.Read() == std::vector<int>{1, 0, 3, 4});
    sample.CheckLoss(0, sample.offset(1), "a block is missing before this one");
  }
  SECTION("at the end of a block") {
    sample.bytes.resize(sample.offset(2));
    CHECK(sample.Read() == std::vector<int>{1, 2, 0});
    sample.CheckLoss(0, sample.offset(2), "the blocks that should follow are missing");
  }
  SECTION("inside a block") {
    sample.bytes.resize(sample.offset(2) + 1000);
    CHECK(sample.Read() == std::vector<int>{1, 2, 0});
    sample.CheckLoss(0, sample.offset(2), "the file ends inside the block, 1000 bytes");
  }
  CHECK(sample.losses.size() == 1);
}

TEST_CASE("what looks like the beginning of a block is none without its checksum") {
  FourBlocks sample;
  sample.bytes[sample.offset(1)] ^= 1;
  sample.bytes.replace(sample.offset(1) + 5000, 4, "KVSB");
  // One that begins where what is searched at once ends.
  sample.bytes.replace(sample.offset(1) + 64 * 1024 - 1, 4, "KVSB");
  CHECK(sample.Read() == std::vector<int>{1, 0, 3, 4});
  CHECK(sample.losses.size() == 1);
}

TEST_CASE("a snapshot that the disk does not give is a loss") {
  FourBlocks sample;
  sample.files().SetFaults([](MemoryFileSystem::Operation operation, const std::string&) {
    return operation == MemoryFileSystem::Operation::kRead
               ? std::make_optional(MemoryFileSystem::Fault{absl::InternalError("Input/output error")})
               : std::nullopt;
  });
  CHECK(sample.Read() == std::vector<int>{0});
  sample.CheckLoss(0, sample.offset(0), "no block begins here");
  CHECK(sample.losses.size() == 1);
}

}  // namespace
}  // namespace kvs::txn
