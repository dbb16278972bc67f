// A ledger in a database of its own, with small verbs to write and read it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/model/transaction_codec.h"
#include "tests/support/catch.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/read_all.h"
#include "tests/support/sample_frames.h"
#include "txn_server/log/postgres/postgres_txn_log.h"

namespace kvs::txn {

inline constexpr char kPostgresWriter[] = "a writer's id 16";

class PostgresLedger {
 public:
  // `more` is added to the connection string.
  explicit PostgresLedger(const std::string& more = "user=postgres", const std::string& database_options = "")
      : PostgresLedger(&cluster(), more, database_options) {}
  // On another server than the one that tests share.
  explicit PostgresLedger(PostgresCluster* server) : PostgresLedger(server, "user=postgres", "") {}
  explicit PostgresLedger(Retention retention) : PostgresLedger() {
    options_.compaction.retention = retention;
    Open();
  }

  void Open() {
    log_.reset();
    auto log = OpenPostgresTxnLog(options_);
    REQUIRE(log.status() == absl::OkStatus());
    log_ = *std::move(log);
  }

  static PostgresCluster& cluster() { return PostgresCluster::Shared(); }
  const std::string& database() const { return database_; }
  // Of the next Open().
  PostgresTxnLogOptions& options() { return options_; }
  TxnLog& log() { return *log_; }
  uint64_t revision() const { return log_->position().durable_revision; }

  void Begin() { REQUIRE(log_->BeginEpoch(kPostgresWriter).status() == absl::OkStatus()); }
  absl::Status Append(const SampleFrame& frame) { return log_->Append(log_->position().epoch, {frame.frame()}); }

  std::string Query(const std::string& sql) const { return server_.Query(database_, sql); }
  void WaitFor(const std::string& sql, const std::string& wanted) const { server_.WaitFor(database_, sql, wanted); }

  std::string Bytes() {
    const auto all = ReadAll(*log_);
    REQUIRE(all.status() == absl::OkStatus());
    return all->bytes;
  }

 private:
  PostgresLedger(PostgresCluster* server, const std::string& more, const std::string& database_options)
      : server_(*server), database_(server->NewDatabase(database_options)) {
    options_.url = server->Url(database_, more);
    Open();
  }

  PostgresCluster& server_;
  const std::string database_;
  PostgresTxnLogOptions options_;
  std::unique_ptr<TxnLog> log_;
};

// Transactions as every writer encodes them, with revisions from `first`.
class PostgresHistory {
 public:
  explicit PostgresHistory(uint64_t first = 1) : frame_{first, 0, ""} {}

  // Gives it its revision.
  PostgresHistory& Add(Transaction transaction) {
    transaction.revision = frame_.first_revision + frame_.count++;
    EncodedTransaction encoded(transaction);
    encoded.Stamp(transaction.revision, transaction.time_micros);
    frame_.bytes += encoded.bytes();
    return *this;
  }
  PostgresHistory& Add(ValueType type, absl::string_view key, uint64_t previous, Operation operation) {
    Transaction transaction;
    transaction.type = type;
    transaction.key = key;
    transaction.previous_revision = previous;
    transaction.time_micros = 1'700'000'000'123'456;
    transaction.operation = std::move(operation);
    return Add(std::move(transaction));
  }
  const SampleFrame& frame() const { return frame_; }

 private:
  SampleFrame frame_;
};

}  // namespace kvs::txn
