#include "txn_server/log/file/new_ledger.h"

#include <absl/strings/match.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/fault_injection.h"
#include "tests/support/file_ledger.h"
#include "tests/support/temp_dir.h"

namespace kvs::txn {
namespace {

absl::Status FillWithThree(TxnLog& log) {
  const auto epoch = log.BeginEpoch("writer");
  if (!epoch.ok()) return epoch.status();
  return log.Append(*epoch, {MakeFrame(1, 3).frame()});
}

bool Changes(MemoryFileSystem::Operation operation, const std::string&) {
  return operation != MemoryFileSystem::Operation::kRead;
}

bool HasFiles(MemoryFileSystem& files, const std::string& directory) { return !files.List(directory)->empty(); }

TEST_CASE("a new ledger has its name when it is complete") {
  MemoryFileSystem files;
  const auto position = CreateLedger({"/new", 8 * kKiB, &files}, [&](TxnLog& log) {
    CHECK_FALSE(HasFiles(files, "/new"));
    CHECK(HasFiles(files, "/new.partial"));
    return FillWithThree(log);
  });
  REQUIRE(position.status() == absl::OkStatus());
  CHECK(position->durable_revision == 3);
  CHECK(HasFiles(files, "/new"));
  CHECK_FALSE(HasFiles(files, "/new.partial"));
  const auto report = InspectLog("/new", nullptr, files);
  REQUIRE(report.ok());
  CHECK(report->verdict == absl::OkStatus());
  CHECK(report->scan.tip.last_revision == 3);
  CHECK(report->scan.log_id == position->log_id);
}

TEST_CASE("whatever fails while a ledger is made, nothing is left") {
  for (int fails_at = 0;; ++fails_at) {
    INFO("operation " << fails_at);
    MemoryFileSystem files;
    FaultInjection faults(files, fails_at, FaultInjection::Extent::kOne, FullDisk(), Changes);
    const auto position = CreateLedger({"/new", 8 * kKiB, &files}, FillWithThree);
    if (!faults.End()) {
      CHECK(fails_at > 10);
      break;
    }
    CHECK_FALSE(HasFiles(files, "/new.partial"));
    if (!position.ok()) CHECK((!HasFiles(files, "/new") || InspectLog("/new", nullptr, files)->verdict.ok()));
  }
}

TEST_CASE("an error of the filling is returned and nothing is left") {
  MemoryFileSystem files;
  const auto position =
      CreateLedger({"/new", 8 * kKiB, &files}, [](TxnLog&) { return absl::DataLossError("the source"); });
  CHECK(absl::IsDataLoss(position.status()));
  CHECK_FALSE(HasFiles(files, "/new"));
  CHECK_FALSE(HasFiles(files, "/new.partial"));
}

TEST_CASE("a ledger is not made over other files") {
  MemoryFileSystem files;
  files.SetContents("/new/letter.txt", "dear");
  CHECK(Is(CheckNewLedgerDirectory(files, "/new", ""), errors::kUnusableDirectory));
  CHECK(Is(CreateLedger({"/new", 8 * kKiB, &files}, FillWithThree).status(), errors::kUnusableDirectory));
  CHECK(files.Contents("/new/letter.txt") == "dear");
  files.SetContents("/other.partial/letter.txt", "dear");
  CHECK(Is(CreateLedger({"/other", 8 * kKiB, &files}, FillWithThree).status(), errors::kUnusableDirectory));
  CHECK(files.Contents("/other.partial/letter.txt") == "dear");
}

TEST_CASE("what an interrupted attempt left is replaced") {
  MemoryFileSystem files;
  files.SetContents("/new.partial/0000000001.log", "half");
  files.SetContents("/new.partial/UNFINISHED", "");
  const auto position = CreateLedger({"/new", 8 * kKiB, &files}, FillWithThree);
  REQUIRE(position.status() == absl::OkStatus());
  CHECK_FALSE(HasFiles(files, "/new.partial"));
}

TEST_CASE("a whole ledger that is where one is to be made is left alone") {
  MemoryFileSystem files;
  REQUIRE(CreateLedger({"/new.partial", 8 * kKiB, &files}, FillWithThree).status() == absl::OkStatus());
  files.SetContents("/new.partial/0000000001.snap", "a snapshot");
  files.Delete("/new.partial/0000000002.log");
  const absl::Status status = CreateLedger({"/new", 8 * kKiB, &files}, FillWithThree).status();
  CHECK(Is(status, errors::kUnusableDirectory));
  CHECK_THAT(std::string(status.message()), ContainsText("/new.partial"));
  CHECK(files.Exists("/new.partial/0000000001.log"));
  CHECK(files.Contents("/new.partial/0000000001.snap") == "a snapshot");
}

// Does something when one more change was made by the thread that it belongs to.
class InterruptedFileSystem : public MemoryFileSystem {
 public:
  InterruptedFileSystem(int at, std::function<void()> then) : left_(at), then_(std::move(then)) {}

  bool done() const { return left_ < 0; }

  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override {
    Count();
    return MemoryFileSystem::Create(path);
  }
  absl::Status Remove(const std::string& path) override {
    Count();
    return MemoryFileSystem::Remove(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    Count();
    return MemoryFileSystem::Rename(from, to);
  }
  absl::Status SyncDirectory(const std::string& directory) override {
    Count();
    return MemoryFileSystem::SyncDirectory(directory);
  }

 private:
  void Count() {
    if (std::this_thread::get_id() == thread_ && left_-- == 0) then_();
  }

  const std::thread::id thread_ = std::this_thread::get_id();
  int left_;
  const std::function<void()> then_;
};

TEST_CASE("of two that make the same ledger at once, the second is refused") {
  for (int at = 0;; ++at) {
    INFO("change " << at);
    absl::Status second;
    InterruptedFileSystem files(at, [&] {
      second = CreateLedger({"/new", 8 * kKiB, &files}, [](TxnLog&) { return absl::OkStatus(); }).status();
    });
    const absl::Status first = CreateLedger({"/new", 8 * kKiB, &files}, FillWithThree).status();
    if (!files.done()) {
      CHECK(at > 8);
      break;
    }
    CHECK(first == absl::OkStatus());
    INFO(second.ToString());
    const bool is_published = absl::StrContains(second.message(), "/new is not empty");
    CHECK((Is(second, errors::kLogInUse) || (is_published && at > 5)));
    const auto report = InspectLog("/new", nullptr, files);
    REQUIRE(report.status() == absl::OkStatus());
    CHECK(report->verdict == absl::OkStatus());
    CHECK(report->scan.tip.last_revision == 3);
  }
}

TEST_CASE("of two that make the same ledger at once on a disk, one makes it") {
  for (int round = 0; round < 10; ++round) {
    const TempDir directory;
    absl::Status results[2];
    std::vector<std::thread> threads;
    for (absl::Status& result : results) {
      threads.emplace_back([&] { result = CreateLedger({directory / "new", 8 * kKiB}, FillWithThree).status(); });
    }
    for (std::thread& thread : threads) thread.join();
    INFO(results[0].ToString() << "\n" << results[1].ToString());
    CHECK(results[0].ok() != results[1].ok());
    const absl::Status& refused = results[0].ok() ? results[1] : results[0];
    CHECK((Is(refused, errors::kLogInUse) || Is(refused, errors::kUnusableDirectory)));
    CHECK(InspectLog(directory / "new")->scan.tip.last_revision == 3);
    CHECK(absl::IsNotFound(PosixFileSystem().List(directory / "new.partial").status()));
  }
}

TEST_CASE("a ledger is not made in its source, nor where its source would be removed") {
  const TempDir directory;
  const auto check = [&](const std::string& target, const std::string& source) {
    return CheckNewLedgerDirectory(PosixFileSystem(), directory / target, directory / source);
  };
  REQUIRE(PosixFileSystem().CreateDirectory(directory / "x.partial") == absl::OkStatus());
  CHECK(check("x", "other") == absl::OkStatus());
  for (const char* target : {"x", "x/", "./x//", "x.partial", "x.partial/in"}) {
    INFO(target);
    CHECK(Is(check(target, "x.partial"), errors::kUnusableDirectory));
    CHECK(Is(check(target, "./x.partial/"), errors::kUnusableDirectory));
  }
}

TEST_CASE("what was left at any moment of making a ledger is refused, unless it is all of it") {
  for (int cut_at = 0;; ++cut_at) {
    INFO("operation " << cut_at);
    MemoryFileSystem files;
    FaultInjection faults(files, cut_at, FaultInjection::Extent::kAllFromThere, {absl::InternalError("killed")},
                          Changes);
    const bool made = CreateLedger({"/new", 8 * kKiB, &files}, FillWithThree).ok();
    const bool failed = faults.End();
    if (made && !failed) break;
    if (!HasFiles(files, "/new.partial")) continue;
    FileTxnLogOptions options;
    options.directory = "/new.partial";
    options.segment_bytes = 8 * kKiB;
    options.file_system = &files;
    auto log = OpenFileTxnLog(options);
    if (log.ok()) {
      CHECK((*log)->position().durable_revision == 3);
      log->reset();
      const absl::Status refused = CreateLedger({"/new", 8 * kKiB, &files}, FillWithThree).status();
      CHECK(Is(refused, errors::kUnusableDirectory));
      CHECK_THAT(std::string(refused.message()), ContainsText("/new.partial is needed to make the ledger in"));
      CHECK_THAT(std::string(refused.message()), ContainsText("rename it"));
      CHECK(InspectLog("/new.partial", nullptr, files)->scan.tip.last_revision == 3);
      CHECK(files.Rename("/new.partial", "/elsewhere") == absl::OkStatus());
    } else {
      CHECK(Is(log.status(), errors::kUnusableDirectory));
      CHECK_THAT(std::string(log.status().message()), ContainsText("interrupted copy, restore or salvage"));
      CHECK(Is(InspectLog("/new.partial", nullptr, files).status(), errors::kUnusableDirectory));
    }
    CHECK(CreateLedger({"/new", 8 * kKiB, &files}, FillWithThree).status() == absl::OkStatus());
  }
}

TEST_CASE("on a disk, a ledger takes the place of an empty directory") {
  const TempDir directory;
  const std::string path = directory / "new";
  REQUIRE(PosixFileSystem().CreateDirectory(path) == absl::OkStatus());
  const auto position = CreateLedger({path + "/", 64 * kKiB}, FillWithThree);
  REQUIRE(position.status() == absl::OkStatus());
  CHECK(InspectLog(path)->scan.tip.last_revision == 3);
  CHECK(absl::IsNotFound(PosixFileSystem().List(path + ".partial").status()));
  CHECK(Is(CreateLedger({path, 64 * kKiB}, FillWithThree).status(), errors::kUnusableDirectory));
}

struct stat InfoOf(const std::string& path) {
  struct stat info = {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return info;
}

TEST_CASE("the owner and mode of the empty directory stay, whether a ledger is made or not") {
  const TempDir directory;
  const std::string path = directory / "new";
  REQUIRE(PosixFileSystem().CreateDirectory(path) == absl::OkStatus());
  REQUIRE(chmod(path.c_str(), 0750) == 0);
  const uid_t owner = geteuid() == 0 ? 65534 : geteuid();
  const gid_t group = geteuid() == 0 ? 65534 : getegid();
  REQUIRE(chown(path.c_str(), owner, group) == 0);
  const ino_t before = InfoOf(path).st_ino;
  const auto failed = CreateLedger({path, 64 * kKiB}, [&](TxnLog&) {
    CHECK(InfoOf(path).st_ino == before);
    return absl::DataLossError("the source");
  });
  CHECK(absl::IsDataLoss(failed.status()));
  CHECK(InfoOf(path).st_ino == before);
  REQUIRE(CreateLedger({path, 64 * kKiB}, FillWithThree).status() == absl::OkStatus());
  CHECK((InfoOf(path).st_mode & 07777) == 0750);
  for (const char* name : {"", "/0000000001.log", "/LOCK"}) {
    INFO(name);
    CHECK(InfoOf(path + name).st_uid == owner);
    CHECK(InfoOf(path + name).st_gid == group);
  }
  CHECK((InfoOf(path + "/0000000001.log").st_mode & 0777) == 0600);
}

TEST_CASE("what cannot be replaced, and a place without a parent, is refused with what to do") {
  const TempDir directory;
  REQUIRE(PosixFileSystem().CreateDirectory(directory / "empty") == absl::OkStatus());
  REQUIRE(symlink((directory / "empty").c_str(), (directory / "link").c_str()) == 0);
  const absl::Status link = CreateLedger({directory / "link", 64 * kKiB}, FillWithThree).status();
  CHECK(Is(link, errors::kUnusableDirectory));
  CHECK_THAT(std::string(link.message()), ContainsText("name a directory inside of it"));
  const absl::Status deep = CreateLedger({directory / "no/deep", 64 * kKiB}, FillWithThree).status();
  CHECK(Is(deep, errors::kUnusableDirectory));
  CHECK_THAT(std::string(deep.message()), ContainsText("make the directory above it first"));
  CHECK(absl::IsNotFound(PosixFileSystem().List(directory / "link.partial").status()));
}

}  // namespace
}  // namespace kvs::txn
