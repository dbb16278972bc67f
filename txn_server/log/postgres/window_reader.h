// Reads the rows of a range of revisions back as the transactions that they were made of.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "common/model/transaction.h"
#include "common/model/value.h"
#include "txn_server/log/postgres/connection.h"

namespace kvs::txn {

// The rows of a range of revisions. Used by one thread at a time.
class Window {
 public:
  // Reads the rows with revisions of `first` to `last`.
  static absl::StatusOr<Window> Read(Connection& connection, uint64_t first, uint64_t last);

  uint64_t last() const { return last_; }

  // The time of the newest transaction that was taken or told of by Follow().
  int64_t time_micros() const { return time_micros_; }
  // What was before the window ended at this time, which no row of it may precede.
  void Follow(int64_t time_micros) { time_micros_ = time_micros; }

  // The next transaction, or nothing at the end. It is valid as long as the window. kDamagedLog, naming the revision,
  // if a row is missing or is not as it was written.
  absl::StatusOr<std::optional<Transaction>> Next();

 private:
  // The rows of one type, and how far they have been used.
  struct Rows {
    pqxx::result rows;
    pqxx::result keys;
    absl::flat_hash_map<uint64_t, absl::string_view> key_of_id;
    pqxx::result elements;  // members of sets, fields of maps
    pqxx::result::size_type next = 0;
    pqxx::result::size_type next_element = 0;
    uint64_t next_revision = 0;  // 0 at the end
  };
  // What a row of requests has that its change has not.
  struct AnswerRow {
    uint64_t first_revision = 0;
    uint64_t command_hash = 0;
    std::string response;
  };

  Window(uint64_t first, uint64_t last) : next_(first), last_(last) {}

  absl::Status ReadRows(Connection& connection, ValueType type);
  absl::Status ReadAnswers(Connection& connection);
  // Sets the request of the transaction, with its answer if that is still known. False if the rows do not fit.
  bool TakeRequest(const pqxx::row& row, Transaction* transaction) const;
  absl::Status IndexKeys(Rows& rows);
  absl::Status SetNextRevision(Rows& rows);
  absl::StatusOr<Transaction> Take(ValueType type, Rows& rows);
  absl::Status TakeElements(Rows& rows, uint64_t revision, Fields* elements);

  uint64_t next_;
  uint64_t last_;
  int64_t time_micros_ = std::numeric_limits<int64_t>::min();
  uint64_t batch_end_ = 0;  // the last revision of the batch that was begun last
  std::array<Rows, kValueTypeCount> types_;
  absl::flat_hash_map<uint64_t, AnswerRow> answers_;  // by revision
};

}  // namespace kvs::txn
