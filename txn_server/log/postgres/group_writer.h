// GroupWriter: the transactions of one group commit, as rows of the tables of sql/.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/model/transaction.h"
#include "common/model/transaction_list.h"
#include "txn_server/log/postgres/binary_parameters.h"
#include "txn_server/log/postgres/connection.h"
#include "txn_server/log/postgres/key_ids.h"

namespace kvs::txn {

// Used by one thread at a time. Add does all that needs no connection, so that it can run ahead.
class GroupWriter {
 public:
  // `key_ids` outlives the writer. If it `hides`, a delete hides what was before it.
  GroupWriter(KeyIds* key_ids, bool hides) : key_ids_(*key_ids), hides_(hides) {}

  // Takes the next transaction; keeps nothing of what it borrows. kMalformedFrame if PostgreSQL cannot keep it. Where a
  // snapshot divides a collection among several transactions, the members or fields of all of them belong to the row of
  // the first one.
  absl::Status Add(const Transaction& transaction);

  // Adds all of a serialized txn.v1.TransactionList, and returns how many those are. kMalformedFrame also if it is no
  // such list.
  absl::StatusOr<uint64_t> AddAll(absl::string_view list);

  // Inserts the rows, a few statements for each type. May be called again with another connection.
  absl::Status Write(Connection& connection);

  // Whether one of the transactions has hidden history.
  bool has_hidden() const { return has_hidden_; }

  // Remembers the keys that have a row now. Called when what Write did is durable.
  void RememberKeys();

 private:
  // A key whose id is not known yet.
  struct UnknownKey {
    std::string key;
    uint64_t first_revision = 0;  // the id of its row if it has none yet
    bool was_absent = false;      // most likely it has none
    uint64_t id = 0;              // 0 until it is known
  };
  // The id of a key, or the place of an unknown one.
  struct KeyRef {
    uint64_t id = 0;
    size_t unknown = 0;  // if id is 0
  };

  // The columns of the rows of one type.
  struct Rows {
    Rows();

    std::vector<UnknownKey> unknown;
    absl::flat_hash_map<std::string, size_t> unknown_by_key;

    std::vector<KeyRef> keys;
    BinaryArray ids{BinaryArray::Type::kBigint};
    BinaryArray operations{BinaryArray::Type::kText};
    BinaryArray previous_ids{BinaryArray::Type::kBigint};
    BinaryArray batches{BinaryArray::Type::kBigint};
    BinaryArray times{BinaryArray::Type::kTimestamp};
    BinaryArray expiries{BinaryArray::Type::kTimestamp};
    BinaryArray actors{BinaryArray::Type::kText};
    BinaryArray request_ids{BinaryArray::Type::kText};
    std::optional<BinaryArray> values;   // numbers and strings
    std::optional<BinaryArray> results;  // numbers

    // Members of sets, fields of maps.
    std::vector<KeyRef> element_keys;
    BinaryArray element_ids{BinaryArray::Type::kBigint};
    BinaryArray elements{BinaryArray::Type::kText};
    BinaryArray element_values{BinaryArray::Type::kText};  // maps

    // Deletes that hide history.
    std::vector<KeyRef> hidden_keys;
    BinaryArray hidden_ids{BinaryArray::Type::kBigint};

    // The columns as parameters, once they are complete.
    std::vector<std::string> parameters;
    std::vector<std::string> hidden_parameters;
    std::vector<std::string> element_parameters;
  };
  struct OperationColumns;

  // The columns of the rows of requests.
  struct RequestRows {
    RequestRows();

    BinaryArray ids{BinaryArray::Type::kBigint};
    BinaryArray first_ids{BinaryArray::Type::kBigint};
    BinaryArray times{BinaryArray::Type::kTimestamp};
    BinaryArray command_hashes{BinaryArray::Type::kBigint};
    BinaryArray actors{BinaryArray::Type::kText};
    BinaryArray request_ids{BinaryArray::Type::kText};
    BinaryArray answers{BinaryArray::Type::kBytea};

    std::vector<std::string> parameters;  // once they are complete
  };

  Rows& RowsOf(ValueType type);
  KeyRef RefOf(Rows& rows, const Transaction& transaction);
  void AddRequest(const RememberedRequest& request);
  absl::Status WriteRequests(Connection& connection);
  absl::Status AddElements(Rows& rows, const Transaction& transaction, const KeyRef& key);
  void Finish(ValueType type, Rows& rows);

  absl::Status FindKeys(Connection& connection, ValueType type, Rows& rows);
  // Looks up the unknown keys that `wanted` names, and sets their ids where they have a row.
  absl::Status LookUp(Connection& connection, ValueType type, Rows& rows, const std::vector<size_t>& wanted);
  // Inserts rows for the unknown keys that `wanted` names, and sets the ids of those that had none.
  absl::Status InsertKeys(Connection& connection, ValueType type, Rows& rows, const std::vector<size_t>& wanted);

  KeyIds& key_ids_;
  const bool hides_;
  bool has_hidden_ = false;
  std::array<std::optional<Rows>, kValueTypeCount> types_;
  std::optional<RequestRows> requests_;
  bool in_batch_ = false;  // whether more of a batch follows
  // A snapshot that is imported keeps its requests itself, and frames have none of their own.
  TransactionListReader list_{[](const RememberedRequest&) { return absl::OkStatus(); }};
};

}  // namespace kvs::txn
