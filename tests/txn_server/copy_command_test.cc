#include "txn_server/copy_command.h"

#include <absl/strings/match.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/exit_codes.h"
#include "tests/support/catch.h"
#include "tests/support/postgres_ledger.h"
#include "tests/support/read_all.h"
#include "tests/support/temp_dir.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/file/read_only_log.h"

namespace kvs::txn {
namespace {

struct Result {
  int code = 0;
  std::string out;
  std::string err;
};

Result Copy(std::vector<std::string> arguments) {
  std::vector<const char*> argv = {"copy"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::ostringstream out;
  std::ostringstream err;
  const int code = RunCopy(static_cast<int>(argv.size()), argv.data(), out, err);
  return {code, out.str(), err.str()};
}

class Source {
 public:
  Source() {
    FileTxnLogOptions options;
    options.directory = path("data");
    options.segment_bytes = 64 * kKiB;
    auto log = OpenFileTxnLog(options);
    REQUIRE(log.ok());
    log_ = *std::move(log);
    const auto epoch = log_->BeginEpoch("writer");
    REQUIRE(log_->Append(*epoch, {MakeFrame(1, 3).frame()}).ok());
  }
  void Close() {
    REQUIRE(log_->Close().ok());
    log_.reset();
  }
  std::string path(const std::string& name) const { return directory_ / name; }

 private:
  const TempDir directory_;
  std::unique_ptr<TxnLog> log_;
};

TEST_CASE("a ledger is copied with its revisions, and told as text or JSON") {
  Source source;
  source.Close();
  const Result text = Copy({"--from=file:" + source.path("data"), "--to=file:" + source.path("new")});
  INFO(text.err);
  CHECK(text.code == kExitClean);
  CHECK_THAT(text.out,
             ContainsText("copied revision 3: a snapshot of revision 0 and 3 transactions, as the new ledger "));
  const auto copy = OpenReadOnlyLog(source.path("new"));
  REQUIRE(copy.status() == absl::OkStatus());
  CHECK(ReadAll(**copy)->bytes == MakeFrame(1, 3).bytes);
  const Result json = Copy({"--from", source.path("data"), "--to", source.path("newer"), "--output=json"});
  CHECK(json.code == kExitClean);
  CHECK_THAT(json.out,
             ContainsText("\"revision\":\"3\",\"epoch\":\"1\",\"snapshotRevision\":\"0\",\"transactions\":\"3\"}\n"));
}

TEST_CASE("of a ledger that has removed history the copy begins with a snapshot, and that is told") {
  PostgresLedger ledger;
  ledger.options().compaction.min_bytes = 1;
  ledger.Open();
  ledger.Begin();
  REQUIRE(ledger.Append(PostgresHistory()
                            .Add(ValueType::kInt, "lives", 0, operation::Put{int64_t{1}})
                            .Add(ValueType::kInt, "lives", 1, operation::Put{int64_t{2}})
                            .Add(ValueType::kInt, "goes", 0, operation::Put{int64_t{3}})
                            .Add(ValueType::kInt, "goes", 3, operation::Delete{})
                            .frame()) == absl::OkStatus());
  ledger.WaitFor("SELECT compacted_revision FROM ledger", "4");
  CHECK(ledger.Query("SELECT count(*) FROM history WHERE key = 'lives'") == "2");
  const TempDir directory;
  const Result copied =
      Copy({"--from=postgres:" + PostgresLedger::cluster().Url(ledger.database()), "--to=file:" + (directory / "new")});
  INFO(copied.err);
  CHECK(copied.code == kExitClean);
  CHECK_THAT(copied.out, ContainsText("copied revision 4: a snapshot of revision 4 without the history before it and 0 "
                                      "transactions, as the new ledger "));
}

TEST_CASE("what keeps a ledger from being copied is told as JSON where that is wanted") {
  Source source;
  const Result json = Copy({"--from", source.path("data"), "--to", source.path("new"), "--output=json"});
  CHECK(json.code == kExitStartFailed);
  CHECK_THAT(json.err,
             ContainsText("{\"code\":\"FAILED_PRECONDITION\",\"reason\":\"LOG_IN_USE\",\"message\":\"process "));
  CHECK(absl::EndsWith(json.err, "\"}\n"));
}

TEST_CASE("a ledger is not copied into itself") {
  Source source;
  source.Close();
  std::filesystem::rename(source.path("data"), source.path("x.partial"));
  for (const char* target : {"x.partial/in", "x.partial", "x"}) {
    INFO(target);
    const Result result = Copy({"--from=file:" + source.path("x.partial"), "--to=file:" + source.path(target)});
    CHECK(result.code == kExitStartFailed);
    CHECK_THAT(result.err, ContainsText("name a directory outside"));
    CHECK_FALSE(std::filesystem::exists(source.path("x.partial/in")));
    CHECK_FALSE(std::filesystem::exists(source.path("x")));
  }
  CHECK(OpenReadOnlyLog(source.path("x.partial")).status() == absl::OkStatus());
}

TEST_CASE("a ledger in use is not copied, and nothing is copied over files") {
  Source source;
  const Result busy = Copy({"--from=file:" + source.path("data"), "--to=file:" + source.path("new")});
  CHECK(busy.code == kExitStartFailed);
  CHECK_THAT(busy.err, ContainsText("only one may use a ledger"));
  CHECK_FALSE(std::filesystem::exists(source.path("new")));
  source.Close();
  const Result over = Copy({"--from=file:" + source.path("data"), "--to=file:" + source.path("")});
  CHECK(over.code == kExitStartFailed);
  CHECK_THAT(over.err, ContainsText("is not empty"));
}

TEST_CASE("a damaged ledger is not copied") {
  Source source;
  source.Close();
  {
    std::fstream file(source.path("data") + "/0000000001.log", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1100);
    file.put('?');
  }
  const Result result = Copy({"--from=file:" + source.path("data"), "--to=file:" + source.path("new")});
  CHECK(result.code == kExitDataLoss);
  CHECK_THAT(result.err, ContainsText("is damaged at offset"));
  CHECK_FALSE(std::filesystem::exists(source.path("new")));
}

TEST_CASE("a copy without a source or target, or of an unknown kind, is a mistake in the settings") {
  CHECK(Copy({"--from=file:/data"}).code == kExitBadSettings);
  CHECK(Copy({"--to=file:/data"}).code == kExitBadSettings);
  const Result unknown = Copy({"--from=tape:/dev/st0", "--to=file:/data"});
  CHECK(unknown.code == kExitBadSettings);
  CHECK_THAT(unknown.err, ContainsText("--from: there is no kind of ledger \"tape\": expected file:DIR"));
  CHECK(Copy({"--from=file:", "--to=file:/data"}).code == kExitBadSettings);
}

}  // namespace
}  // namespace kvs::txn
