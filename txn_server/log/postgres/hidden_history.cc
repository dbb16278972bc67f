#include "txn_server/log/postgres/hidden_history.h"

#include <absl/strings/str_cat.h>

#include <string>

#include "common/model/value.h"
#include "txn_server/log/postgres/binary_parameters.h"
#include "txn_server/log/postgres/per_type.h"

namespace kvs::txn {
namespace {

// In one database transaction. The statements below have it as text.
constexpr uint64_t kBatchRows = 1000;

struct RemovalStatements {
  std::string remove_elements;  // of sets and maps
  std::string remove_rows;
  std::string forget;
};

// Removes some rows of `table`, whose alias is `alias`, which has the changes of hidden histories; `join` leads there
// from `t`, the changes themselves.
std::string Remove(absl::string_view type, absl::string_view table, absl::string_view alias, absl::string_view join) {
  return absl::StrCat("DELETE FROM ", table, " WHERE ctid = ANY (ARRAY (SELECT ", alias,
                      ".ctid FROM (SELECT key_id, max(before_id) AS before_id FROM (SELECT key_id, before_id",
                      " FROM hidden_history WHERE type = '", type,
                      "' AND before_id <= $1::bigint ORDER BY key_id, before_id LIMIT 1000) AS batch",
                      " GROUP BY key_id) AS h JOIN ", type,
                      "_transactions AS t ON t.key_id = h.key_id AND t.id < h.before_id", join, " LIMIT 1000))");
}

RemovalStatements MakeRemovalStatements(ValueType type) {
  const std::string name(TypeName(type));
  RemovalStatements made;
  if (type == ValueType::kSet) {
    made.remove_elements = Remove(name, "set_members", "m", " JOIN set_members AS m ON m.transaction_id = t.id");
  } else if (type == ValueType::kMap) {
    made.remove_elements =
        Remove(name, "map_key_value_pairs", "m", " JOIN map_key_value_pairs AS m ON m.transaction_id = t.id");
  }
  made.remove_rows = Remove(name, absl::StrCat(name, "_transactions"), "t", "");
  // The same ones, since what a later delete hides is behind the revision.
  made.forget =
      absl::StrCat("DELETE FROM hidden_history WHERE ctid = ANY (ARRAY (SELECT ctid FROM hidden_history",
                   " WHERE type = '", name, "' AND before_id <= $1::bigint ORDER BY key_id, before_id LIMIT 1000))");
  return made;
}

// Repeats a statement until it has nothing more to do. The rows that it removed.
absl::StatusOr<uint64_t> Exhaust(Connection& connection, const std::string& sql, const std::string& revision,
                                 absl::FunctionRef<bool()> cancelled) {
  uint64_t sum = 0;
  while (!cancelled()) {
    const auto removed = connection.Exec(sql, {revision});
    if (!removed.ok()) return removed.status();
    const uint64_t rows = removed->affected_rows();
    sum += rows;
    if (rows < kBatchRows) break;
  }
  return sum;
}

}  // namespace

absl::StatusOr<uint64_t> RemoveHiddenHistory(Connection& connection, uint64_t revision,
                                             absl::FunctionRef<bool()> cancelled) {
  const std::string up_to = BinaryBigint(revision);
  uint64_t sum = 0;
  for (const ValueType type : kValueTypes) {
    const RemovalStatements& statements = PerType<MakeRemovalStatements>(type);
    bool more = true;
    while (more && !cancelled()) {
      if (!statements.remove_elements.empty()) {
        const auto elements = Exhaust(connection, statements.remove_elements, up_to, cancelled);
        if (!elements.ok()) return elements.status();
      }
      const auto rows = Exhaust(connection, statements.remove_rows, up_to, cancelled);
      if (!rows.ok()) return rows.status();
      sum += *rows;
      if (cancelled()) break;
      const auto forgotten = connection.Exec(statements.forget, {up_to});
      if (!forgotten.ok()) return forgotten.status();
      more = static_cast<uint64_t>(forgotten->affected_rows()) == kBatchRows;
    }
  }
  return sum;
}

}  // namespace kvs::txn
