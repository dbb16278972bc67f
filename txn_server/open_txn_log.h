// The one place that knows every kind of ledger.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <memory>
#include <string>

#include "txn_server/config.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// Opens the ledger that the settings name. What was repaired is in the log of the process.
absl::StatusOr<std::unique_ptr<TxnLog>> OpenTxnLog(const Config& config);

// A ledger as a command line names it: "file:DIR" or DIR alone; "postgres:URL" or the URL alone, where what it leaves
// out comes from the environment.
struct LedgerName {
  LedgerKind kind = LedgerKind::kFile;
  std::string place;
};
absl::StatusOr<LedgerName> ParseLedgerName(absl::string_view text);

// What a copy is made of.
struct SourceLog {
  std::unique_ptr<TxnLog> log;  // that `history` is read from; null where it needs none
  LogPosition position;
  StateReplay history;
};

// Reads a ledger as the source of a copy, and does not change it. One in files nobody else may use meanwhile.
absl::StatusOr<SourceLog> ReadSourceLog(const LedgerName& name);

struct TargetOptions {
  // Of the file ledger.
  size_t segment_bytes = kDefaultSegmentBytes;
  // Of PostgreSQL, which hides the older changes of a key where it takes a delete.
  Retention retention = Retention::kOnDelete;
};

// Makes a ledger where there is none, and calls `fill` with it while it is empty. After an error there is none; a
// database cannot be used until it is made anew. Returns where it ends.
absl::StatusOr<LogPosition> MakeTargetLog(const LedgerName& name, const TargetOptions& options,
                                          absl::FunctionRef<absl::Status(TxnLog& log)> fill);

}  // namespace kvs::txn
