// The logs that the contract suite of TxnLog runs against.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_txn_log.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/remote_txn_log.h"
#include "tests/support/temp_dir.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/postgres/postgres_txn_log.h"

namespace kvs::txn {

// A place where a log lives, made empty.
class TxnLogFactory {
 public:
  virtual ~TxnLogFactory() = default;

  // Opens the log. Called again, after the log that it returned before was destroyed, if can_reopen().
  virtual std::unique_ptr<TxnLog> Open() = 0;

  // Returns when the log has a snapshot; it has taken 40 KiB.
  virtual void AwaitSnapshot(TxnLog& log) {
    while (log.position().snapshot_revision == 0) std::this_thread::yield();
  }

  // Whether a log that is opened again has what it had before.
  virtual bool can_reopen() const { return true; }

  // Whether it is a ledger service at the other end of a connection, which divides groups as it likes and acknowledges
  // again what is durable already.
  virtual bool is_remote() const { return false; }
};

class MemoryTxnLogFactory : public TxnLogFactory {
 public:
  std::unique_ptr<TxnLog> Open() override { return std::make_unique<MemoryTxnLog>(storage_); }
  void AwaitSnapshot(TxnLog&) override { REQUIRE(storage_->MakeSnapshot(/*drop=*/false) == absl::OkStatus()); }

 private:
  const std::shared_ptr<MemoryTxnLog::Storage> storage_ = std::make_shared<MemoryTxnLog::Storage>();
};

inline std::unique_ptr<TxnLog> MustOpenFileTxnLog(FileTxnLogOptions options) {
  auto log = OpenFileTxnLog(std::move(options));
  REQUIRE(log.status() == absl::OkStatus());
  return *std::move(log);
}

// Snapshots, but all of the history.
inline CompactionOptions ContractCompaction() {
  CompactionOptions options;
  options.retention = Retention::kFull;
  options.min_bytes = 32 * kKiB;
  options.percent = 10;
  options.ballast_bytes = 64 * kKiB;
  return options;
}

// The file ledger with segments of the default size on the disk of this machine.
class FileTxnLogFactory : public TxnLogFactory {
 public:
  std::unique_ptr<TxnLog> Open() override {
    FileTxnLogOptions options;
    options.directory = directory_ / "log";
    options.compaction = ContractCompaction();
    return MustOpenFileTxnLog(options);
  }

 private:
  const TempDir directory_;
};

// The file ledger with segments that change every few frames.
class SmallSegmentsFactory : public TxnLogFactory {
 public:
  std::unique_ptr<TxnLog> Open() override {
    FileTxnLogOptions options;
    options.directory = "/log";
    options.segment_bytes = kMinSegmentBytes;
    options.file_system = &files_;
    options.compaction = ContractCompaction();
    return MustOpenFileTxnLog(options);
  }

 private:
  MemoryFileSystem files_;
};

// The file ledger at the other end of a connection.
class RemoteTxnLogFactory : public TxnLogFactory {
 public:
  std::unique_ptr<TxnLog> Open() override { return std::make_unique<RemoteTxnLog>(local_.Open()); }
  bool is_remote() const override { return true; }

 private:
  FileTxnLogFactory local_;
};

inline std::unique_ptr<TxnLog> MustOpenPostgresTxnLog(PostgresTxnLogOptions options) {
  auto log = OpenPostgresTxnLog(std::move(options));
  REQUIRE(log.status() == absl::OkStatus());
  return *std::move(log);
}

// A database of a real server.
class PostgresTxnLogFactory : public TxnLogFactory {
 public:
  std::unique_ptr<TxnLog> Open() override {
    PostgresTxnLogOptions options;
    options.url = url_;
    options.compaction = ContractCompaction();
    return MustOpenPostgresTxnLog(options);
  }

 private:
  const std::string url_ = PostgresCluster::Shared().Url(PostgresCluster::Shared().NewDatabase());
};

struct NamedTxnLogFactory {
  std::string name;
  std::function<std::unique_ptr<TxnLogFactory>()> make;
};

// Every kind of log. One more needs one more line.
inline const std::vector<NamedTxnLogFactory>& TxnLogFactories() {
  static const auto& factories = *new std::vector<NamedTxnLogFactory>{
      {"memory", [] { return std::make_unique<MemoryTxnLogFactory>(); }},
      {"file", [] { return std::make_unique<FileTxnLogFactory>(); }},
      {"remote", [] { return std::make_unique<RemoteTxnLogFactory>(); }},
      {"postgres", [] { return std::make_unique<PostgresTxnLogFactory>(); }},
      {"file with small segments", [] { return std::make_unique<SmallSegmentsFactory>(); }},
  };
  return factories;
}

}  // namespace kvs::txn
