#include "txn_server/log/file/segment_supply.h"

#include "common/errors.h"
#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

using FileOperation = MemoryFileSystem::Operation;
using Fault = MemoryFileSystem::Fault;

constexpr uint64_t kBytes = 4096;

SegmentSupply::Settings SettingsFor(MemoryFileSystem& files) { return {files, "/log", "0123456789abcdef", kBytes}; }

TEST_CASE("a required spare has its header, its size and zeros, and its name is durable") {
  MemoryFileSystem files;
  SegmentSupply supply(SettingsFor(files), 5, {});
  const auto bytes = supply.Require(5, 100, /*may_be_small=*/false);
  REQUIRE(bytes.ok());
  CHECK(*bytes == kBytes);
  const std::string contents = files.Contents("/log/0000000005.log");
  CHECK(contents.size() == kBytes);
  SegmentHeader header;
  REQUIRE(DecodeSegmentHeader(contents, &header).empty());
  CHECK(header.state == SegmentState::kSpare);
  CHECK(header.segment_id == 5);
  CHECK(header.segment_bytes == kBytes);
  CHECK(IsZero(absl::string_view(contents).substr(kSegmentHeaderBytes)));
  CHECK(supply.bytes() == kBytes);
  CHECK(files.TakeTrace() ==
        std::vector<std::string>{"create /log/0000000005.log.tmp", "reserve /log/0000000005.log.tmp",
                                 "write /log/0000000005.log.tmp", "write /log/0000000005.log.tmp",
                                 "sync /log/0000000005.log.tmp", "rename /log/0000000005.log", "sync directory /log"});
}

TEST_CASE("a spare that is large enough is not made again, one that is not is replaced") {
  MemoryFileSystem files;
  SegmentSupply supply(SettingsFor(files), 2, {{2, 1024}});
  CHECK(*supply.Require(2, 1024, /*may_be_small=*/false) == 1024);
  CHECK(files.TakeTrace().empty());
  CHECK(*supply.Require(2, 5000, /*may_be_small=*/false) == 5120);
  CHECK(files.Contents("/log/0000000002.log").size() == 5120);
}

TEST_CASE("prefetching makes spares in the order of their ids") {
  MemoryFileSystem files;
  SegmentSupply supply(SettingsFor(files), 2, {});
  supply.Prefetch(3);
  REQUIRE(supply.Require(2, 1, /*may_be_small=*/false).ok());
  CHECK(files.Exists("/log/0000000002.log"));
  CHECK_FALSE(files.Exists("/log/0000000003.log"));
  supply.Prefetch(3);
  REQUIRE(supply.Require(3, 1, /*may_be_small=*/false).ok());
  CHECK(supply.bytes() == 2 * kBytes);
  supply.Take(2);
  CHECK(supply.bytes() == kBytes);
}

TEST_CASE("without space there is no spare and nothing is left, and it can be tried again") {
  MemoryFileSystem files;
  const FileOperation failing =
      GENERATE(FileOperation::kReserve, FileOperation::kWrite, FileOperation::kSync, FileOperation::kRename);
  files.SetFaults([failing](FileOperation operation, const std::string&) -> std::optional<Fault> {
    if (operation != failing) return std::nullopt;
    return Fault{Error(errors::kNoSpace, "full"), 10};
  });
  SegmentSupply supply(SettingsFor(files), 2, {});
  CHECK(Is(supply.Require(2, 1, /*may_be_small=*/false).status(), errors::kNoSpace));
  CHECK(files.List("/log")->empty());
  files.SetFaults(nullptr);
  CHECK(supply.Require(2, 1, /*may_be_small=*/false).ok());
}

TEST_CASE("where there is no space for a whole segment, a small one is made if that is allowed") {
  MemoryFileSystem files;
  bool full = true;
  files.SetFaults([&full](FileOperation operation, const std::string&) -> std::optional<Fault> {
    if (operation != FileOperation::kReserve || !std::exchange(full, false)) return std::nullopt;
    return Fault{Error(errors::kNoSpace, "full"), 10};
  });
  SegmentSupply supply(SettingsFor(files), 2, {});
  SECTION("allowed") {
    const auto bytes = supply.Require(2, 700, /*may_be_small=*/true);
    REQUIRE(bytes.ok());
    CHECK(*bytes == 1024);
    CHECK(supply.bytes() == 1024);
  }
  SECTION("not allowed") {
    CHECK(Is(supply.Require(2, 700, /*may_be_small=*/false).status(), errors::kNoSpace));
    CHECK(supply.bytes() == 0);
  }
}

TEST_CASE("prefetching does not try again what failed") {
  MemoryFileSystem files;
  files.SetFaults([](FileOperation operation, const std::string&) -> std::optional<Fault> {
    if (operation != FileOperation::kReserve) return std::nullopt;
    return Fault{Error(errors::kNoSpace, "full")};
  });
  SegmentSupply supply(SettingsFor(files), 2, {});
  REQUIRE_FALSE(supply.Require(2, 1, /*may_be_small=*/false).ok());
  files.TakeTrace();
  supply.Prefetch(2);
  supply.Prefetch(3);
  CHECK(files.TakeTrace().empty());
}

TEST_CASE("after an error that is no want of space nothing is made any more") {
  MemoryFileSystem files;
  files.SetFaults([](FileOperation operation, const std::string&) -> std::optional<Fault> {
    if (operation != FileOperation::kSyncDirectory) return std::nullopt;
    return Fault{absl::InternalError("Input/output error")};
  });
  SegmentSupply supply(SettingsFor(files), 2, {{2, kBytes}});
  CHECK(absl::IsInternal(supply.Require(3, 1, /*may_be_small=*/false).status()));
  files.SetFaults(nullptr);
  files.TakeTrace();
  CHECK(absl::IsInternal(supply.Require(3, 1, /*may_be_small=*/false).status()));
  CHECK(files.TakeTrace().empty());
  CHECK(supply.Require(2, 1, /*may_be_small=*/false).ok());
}

}  // namespace
}  // namespace kvs::txn
