#include <filesystem>
#include <fstream>

#include "tests/clients/support/cli.h"
#include "tests/support/catch.h"
#include "tests/support/sample_frames.h"
#include "txn_server/log/file/file_txn_log.h"

namespace kvs::cli {
namespace {

// A ledger on the disk with three transactions, and places for what is made of it.
class Ledger {
 public:
  Ledger() {
    auto log = txn::OpenFileTxnLog({.directory = path("data"), .segment_bytes = 64 * kKiB});
    REQUIRE(log.ok());
    const auto epoch = (*log)->BeginEpoch("writer");
    REQUIRE(epoch.ok());
    for (uint64_t revision = 1; revision <= 3; ++revision) {
      REQUIRE((*log)->Append(*epoch, {txn::MakeFrame(revision, 1).frame()}).ok());
    }
    REQUIRE((*log)->Close().ok());
  }

  std::string path(const std::string& name) const { return kvs.dir() / name; }

  CommandResult Run(const std::vector<std::string>& words) const {
    CommandResult result = kvs(words);
    INFO(result.out << result.err);
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    return result;
  }
  void CheckRefused(const std::vector<std::string>& words, const std::string& because) const {
    const CommandResult result = kvs(words);
    INFO(result.out << result.err);
    CHECK(result.status == 1);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, ContainsText(because));
  }
  void FlipByte(int64_t offset) const {
    std::fstream file(path("data") + "/0000000001.log", std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    const char byte = static_cast<char>(file.get());
    file.seekp(offset);
    file.put(static_cast<char>(byte ^ 1));
    REQUIRE(file.good());
  }

  TestCli kvs;
};

TEST_CASE("backup and restore say what they did, as text and as JSON") {
  Ledger ledger;
  CHECK_THAT(ledger.Run({"log", "backup", ledger.path("data"), ledger.path("backup")}).out,
             ContainsText("backed up to revision 3: copied "));
  const std::string again =
      ledger.Run({"log", "backup", ledger.path("data"), ledger.path("backup"), "--output=json"}).out;
  CHECK_THAT(again,
             ContainsText("\"revision\":\"3\",\"filesCopied\":\"0\",\"bytesCopied\":\"0\",\"filesReused\":\"1\""));
  CHECK_THAT(ledger.Run({"log", "restore", ledger.path("backup"), ledger.path("new")}).out,
             ContainsText("restored revision 3 with all of its history, as the new ledger "));
  const std::string json =
      ledger.Run({"log", "restore", ledger.path("backup"), ledger.path("newer"), "--output=json"}).out;
  CHECK_THAT(json, ContainsText("\"restoredFrom\":\""));
  CHECK_THAT(json,
             ContainsText("\"revision\":\"3\",\"epoch\":\"1\",\"snapshotRevision\":\"0\",\"transactions\":\"3\"}"));
}

TEST_CASE("a backup is verified as a backup, and not taken for a damaged ledger") {
  Ledger ledger;
  ledger.Run({"log", "backup", ledger.path("data"), ledger.path("backup")});
  const std::string text = ledger.Run({"log", "verify", ledger.path("backup")}).out;
  CHECK_THAT(text, ContainsText("backup     of log "));
  CHECK_THAT(text, ContainsText("\nrevisions  up to 3\nverdict    good\n"));
  const std::string json = ledger.Run({"log", "verify", ledger.path("backup"), "--output=json"}).out;
  CHECK_THAT(json, ContainsText("{\"good\":true,\"backup\":true,\"made\":\""));
  CHECK_THAT(json, ContainsText("\"lastRevision\":\"3\"}\n"));
  for (const char* command : {"dump", "stat"}) {
    ledger.CheckRefused({"log", command, ledger.path("backup")}, "is a backup and no ledger");
  }
  std::filesystem::resize_file(ledger.path("backup") + "/0000000001.log", 700);
  ledger.CheckRefused({"log", "verify", ledger.path("backup")}, "the file was cut short");
}

TEST_CASE("a restore into a directory that is not empty, and of what is no backup, is refused") {
  Ledger ledger;
  ledger.Run({"log", "backup", ledger.path("data"), ledger.path("backup")});
  ledger.CheckRefused({"log", "restore", ledger.path("backup"), ledger.path("data")}, "is not empty");
  ledger.CheckRefused({"log", "restore", ledger.path("data"), ledger.path("new")}, "holds no backup");
  CHECK_FALSE(std::filesystem::exists(ledger.path("new")));
}

TEST_CASE("salvage tells what was lost, as text and as JSON") {
  Ledger ledger;
  ledger.FlipByte(1600);
  ledger.CheckRefused({"log", "backup", ledger.path("data"), ledger.path("backup")}, "is damaged at offset 1536");
  const std::string text = ledger.Run({"log", "salvage", ledger.path("data"), ledger.path("new")}).out;
  CHECK_THAT(text, ContainsText("lost       " + ledger.path("data") + "/0000000001.log at 1536, revisions 2 to 2: "));
  CHECK_THAT(text, ContainsText("salvaged revision 3 without history, as the new ledger "));
  const std::string json =
      ledger.Run({"log", "salvage", ledger.path("data"), ledger.path("newer"), "--output=json"}).out;
  CHECK_THAT(json,
             ContainsText("\"lost\":[{\"file\":\"" + ledger.path("data") +
                          "/0000000001.log\",\"offset\":\"1536\",\"firstRevision\":\"2\",\"lastRevision\":\"2\""));
  CHECK_THAT(json, ContainsText("\"doubtfulKeys\":[]}"));
}

TEST_CASE("salvage of a ledger without damage says that nothing was lost") {
  Ledger ledger;
  const std::string text = ledger.Run({"log", "salvage", ledger.path("data"), ledger.path("new")}).out;
  CHECK_THAT(text, ContainsText("nothing was lost\nsalvaged revision 3 with all of its history"));
}

}  // namespace
}  // namespace kvs::cli
