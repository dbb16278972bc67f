#include "txn_server/log/postgres/group_writer.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <limits>

#include "common/errors.h"
#include "txn_server/log/postgres/per_type.h"
#include "txn_server/log/postgres/transaction_check.h"

namespace kvs::txn {
namespace {

using Type = BinaryArray::Type;

// The statements of one type of value.
struct GroupStatements {
  std::string look_up;      // n, id
  std::string insert_keys;  // id
  std::string insert_rows;
  std::string insert_elements;  // of sets and maps
  std::string hide;
};

// Each array is unnested by itself: a row source made of all of them would be kept as a whole first.
std::string InsertRows(absl::string_view table, absl::string_view more_columns, absl::string_view more_values) {
  return absl::StrCat(
      "INSERT INTO ", table,
      "_transactions (id, transaction_type, key_id, previous_id, batch, insert_time, expires_at, actor, request_id",
      more_columns,
      ") SELECT unnest($1::bigint[]), unnest($2::text[])::transaction_type, unnest($3::bigint[]),"
      " unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::timestamptz[]), unnest($7::timestamptz[]),"
      " unnest($8::text[]), unnest($9::text[])",
      more_values);
}

GroupStatements MakeGroupStatements(ValueType type) {
  const std::string name(TypeName(type));
  GroupStatements made;
  made.look_up = absl::StrCat("SELECT n, k.id FROM unnest($1::text[]) WITH ORDINALITY AS r (key, n) JOIN ", name,
                              "_keys AS k USING (key)");
  made.insert_keys =
      absl::StrCat("INSERT INTO ", name, "_keys (id, key) SELECT * FROM unnest($1::bigint[], $2::text[])",
                   " ON CONFLICT (key) DO NOTHING RETURNING id");
  made.hide = absl::StrCat("INSERT INTO hidden_history (type, key_id, before_id) SELECT '", name,
                           "', * FROM unnest($1::bigint[], $2::bigint[])");
  switch (type) {
    case ValueType::kInt:
      made.insert_rows = InsertRows(name, ", value, result", ", unnest($10::bigint[]), unnest($11::bigint[])");
      break;
    case ValueType::kUint:
      made.insert_rows = InsertRows(name, ", value, result", ", unnest($10::numeric[]), unnest($11::numeric[])");
      break;
    case ValueType::kFloat:
      made.insert_rows = InsertRows(name, ", value, result", ", unnest($10::float8[]), unnest($11::float8[])");
      break;
    case ValueType::kString:
      made.insert_rows = InsertRows(name, ", value", ", unnest($10::text[])");
      break;
    case ValueType::kSet:
      made.insert_rows = InsertRows(name, "", "");
      made.insert_elements =
          "INSERT INTO set_members (transaction_id, set_key_id, member)"
          " SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])";
      break;
    case ValueType::kMap:
      made.insert_rows = InsertRows(name, "", "");
      made.insert_elements =
          "INSERT INTO map_key_value_pairs (transaction_id, map_key_id, key, value)"
          " SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[])";
      break;
  }
  return made;
}

const std::string& kInsertRequests = *new std::string(
    "INSERT INTO requests (id, first_id, insert_time, command_hash, actor, request_id, answer)"
    " SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[],"
    " $7::bytea[])");

// Null if there is none.
void AddTextOrNull(BinaryArray& column, absl::string_view text) {
  if (text.empty()) {
    column.AddNull();
  } else {
    column.AddText(text);
  }
}

std::optional<Type> ColumnTypeOf(ValueType type) {
  switch (type) {
    case ValueType::kInt:
      return Type::kBigint;
    case ValueType::kUint:
      return Type::kNumeric;
    case ValueType::kFloat:
      return Type::kDouble;
    case ValueType::kString:
      return Type::kText;
    case ValueType::kSet:
    case ValueType::kMap:
      return std::nullopt;
  }
  return std::nullopt;
}

absl::Status Unkeepable(const Transaction& transaction, absl::string_view why) {
  return Error(errors::kMalformedFrame, absl::StrCat("revision ", transaction.revision, ": ", why));
}

absl::string_view NameOf(operation::Delete::Cause cause) {
  switch (cause) {
    case operation::Delete::Cause::kRequested:
      return "delete";
    case operation::Delete::Cause::kExpired:
      return "expire";
    case operation::Delete::Cause::kEvicted:
      return "evict";
  }
  return "delete";
}

void AddNumber(BinaryArray& column, int64_t value) { column.AddBigint(static_cast<uint64_t>(value)); }
void AddNumber(BinaryArray& column, uint64_t value) { column.AddNumeric(value); }
void AddNumber(BinaryArray& column, double value) { column.AddDouble(value); }

}  // namespace

// Adds the columns that depend on the operation; false if it does not belong to the type of the rows.
struct GroupWriter::OperationColumns {
  Rows& rows;
  ValueType type;
  uint64_t revision;
  KeyRef key;

  bool operator()(const operation::Put& op) const {
    rows.operations.AddText("put");
    return op.value.index() == static_cast<size_t>(type) &&
           std::visit([&](const auto& value) { return PutValue(value); }, op.value);
  }
  bool operator()(const operation::Delete& op) const {
    rows.operations.AddText(NameOf(op.cause));
    if (rows.values) rows.values->AddNull();
    if (rows.results) rows.results->AddNull();
    return true;
  }
  bool operator()(const operation::IntIncrement& op) const {
    return type == ValueType::kInt && Increment("increment", op.delta, op.result);
  }
  bool operator()(const operation::UintIncrement& op) const {
    return type == ValueType::kUint && Increment(op.decrement ? "decrement" : "increment", op.delta, op.result);
  }
  bool operator()(const operation::FloatIncrement& op) const {
    return type == ValueType::kFloat && Increment("increment", op.delta, op.result);
  }
  bool operator()(const operation::Append& op) const {
    rows.operations.AddText("append");
    return type == ValueType::kString && PutValue(op.text);
  }
  bool operator()(const operation::AddMembers& op) const {
    rows.operations.AddText("add_members");
    return type == ValueType::kSet && PutValue(op.members);
  }
  bool operator()(const operation::RemoveMembers& op) const {
    rows.operations.AddText("remove_members");
    return type == ValueType::kSet && PutValue(op.members);
  }
  bool operator()(const operation::PutFields& op) const {
    rows.operations.AddText("put_fields");
    return type == ValueType::kMap && PutValue(op.fields);
  }
  bool operator()(const operation::RemoveFields& op) const {
    rows.operations.AddText("remove_fields");
    if (type != ValueType::kMap) return false;
    for (const absl::string_view name : op.names) {
      AddElement(name);
      rows.element_values.AddNull();
    }
    return true;
  }
  bool operator()(const operation::SetExpiry& op) const {
    rows.operations.AddText("set_expiry");
    if (rows.values) rows.values->AddNull();
    if (!rows.results) return !op.number;
    return op.number && op.number->index() == static_cast<size_t>(type) &&
           std::visit([&](const auto& number) { return PutResult(number); }, *op.number);
  }

  template <class T>
  bool Increment(absl::string_view name, T delta, T result) const {
    rows.operations.AddText(name);
    AddNumber(*rows.values, delta);
    AddNumber(*rows.results, result);
    return true;
  }
  template <class T>
  bool PutValue(T value) const {
    AddNumber(*rows.values, value);
    AddNumber(*rows.results, value);
    return true;
  }
  template <class T>
  bool PutResult(const T& number) const {
    if constexpr (std::is_arithmetic_v<T>) AddNumber(*rows.results, number);
    return std::is_arithmetic_v<T>;
  }
  bool PutValue(absl::string_view text) const {
    rows.values->AddText(text);
    return true;
  }
  bool PutValue(const Texts& members) const {
    for (const absl::string_view member : members) AddElement(member);
    return true;
  }
  bool PutValue(const Fields& fields) const {
    for (const auto& [name, value] : fields) {
      AddElement(name);
      rows.element_values.AddText(value);
    }
    return true;
  }
  void AddElement(absl::string_view element) const {
    rows.element_ids.AddBigint(revision);
    rows.element_keys.push_back(key);
    rows.elements.AddText(element);
  }
};

GroupWriter::Rows::Rows() = default;

GroupWriter::RequestRows::RequestRows() = default;

GroupWriter::Rows& GroupWriter::RowsOf(ValueType type) {
  std::optional<Rows>& rows = types_[static_cast<size_t>(type)];
  if (!rows) {
    rows.emplace();
    if (const auto column = ColumnTypeOf(type)) {
      rows->values.emplace(*column);
      if (type != ValueType::kString) rows->results.emplace(*column);
    }
  }
  return *rows;
}

GroupWriter::KeyRef GroupWriter::RefOf(Rows& rows, const Transaction& transaction) {
  if (const auto id = key_ids_.Find(transaction.type, transaction.key)) return {*id, 0};
  const auto [it, is_new] = rows.unknown_by_key.try_emplace(std::string(transaction.key), rows.unknown.size());
  if (is_new) {
    rows.unknown.push_back({std::string(transaction.key), transaction.revision, transaction.previous_revision == 0, 0});
  }
  return {0, it->second};
}

absl::Status GroupWriter::AddElements(Rows& rows, const Transaction& transaction, const KeyRef& key) {
  const OperationColumns columns{rows, transaction.type, transaction.revision, key};
  if (const auto* members = std::get_if<operation::AddMembers>(&transaction.operation)) {
    columns.PutValue(members->members);
    return absl::OkStatus();
  }
  if (const auto* fields = std::get_if<operation::PutFields>(&transaction.operation)) {
    columns.PutValue(fields->fields);
    return absl::OkStatus();
  }
  return Unkeepable(transaction, "it continues what is no collection");
}

absl::Status GroupWriter::Add(const Transaction& transaction) {
  constexpr uint64_t kMaxBigint = std::numeric_limits<int64_t>::max();
  if (transaction.revision > kMaxBigint || transaction.previous_revision > kMaxBigint) {
    return Unkeepable(transaction, "a revision is over 2^63");
  }
  if (!IsTimestamp(transaction.time_micros)) return Unkeepable(transaction, "its time is before the year 4713 BC");
  if (!IsTimestamp(transaction.expires_at_micros)) {
    return Unkeepable(transaction, "its expiry is before the year 4713 BC");
  }
  Rows& rows = RowsOf(transaction.type);
  const KeyRef key = RefOf(rows, transaction);
  const bool continues_row = transaction.previous_revision == transaction.revision;
  if (continues_row) return AddElements(rows, transaction, key);
  if (!MayHaveBeenMade(transaction)) return Unkeepable(transaction, "it is not a change that can be made");
  rows.keys.push_back(key);
  rows.ids.AddBigint(transaction.revision);
  if (transaction.previous_revision == 0) {
    rows.previous_ids.AddNull();
  } else {
    rows.previous_ids.AddBigint(transaction.previous_revision);
  }
  if (in_batch_ || transaction.batch_remaining > 0) {
    rows.batches.AddBigint(transaction.revision + transaction.batch_remaining);
  } else {
    rows.batches.AddNull();
  }
  in_batch_ = transaction.batch_remaining > 0;
  rows.times.AddTimestamp(transaction.time_micros);
  if (transaction.expires_at_micros == 0) {
    rows.expiries.AddNull();
  } else {
    rows.expiries.AddTimestamp(transaction.expires_at_micros);
  }
  AddTextOrNull(rows.actors, transaction.actor);
  AddTextOrNull(rows.request_ids, transaction.request.id);
  if (const auto request = RequestOf(transaction)) AddRequest(*request);
  if (hides_ && std::holds_alternative<operation::Delete>(transaction.operation)) {
    rows.hidden_keys.push_back(key);
    rows.hidden_ids.AddBigint(transaction.revision);
    has_hidden_ = true;
  }
  if (!std::visit(OperationColumns{rows, transaction.type, transaction.revision, key}, transaction.operation)) {
    return Unkeepable(transaction, "its operation does not belong to the type of its key");
  }
  return absl::OkStatus();
}

void GroupWriter::AddRequest(const RememberedRequest& request) {
  if (!requests_) requests_.emplace();
  requests_->ids.AddBigint(request.revision);
  requests_->first_ids.AddBigint(request.first_revision());
  requests_->times.AddTimestamp(request.time_micros);
  requests_->command_hashes.AddBigint(request.answer.command_hash);
  AddTextOrNull(requests_->actors, request.actor);
  requests_->request_ids.AddText(request.id);
  requests_->answers.AddText(request.answer.response);
}

absl::Status GroupWriter::WriteRequests(Connection& connection) {
  if (!requests_) return absl::OkStatus();
  RequestRows& rows = *requests_;
  if (rows.parameters.empty()) {
    rows.parameters = {rows.ids.Take(),    rows.first_ids.Take(),   rows.times.Take(),  rows.command_hashes.Take(),
                       rows.actors.Take(), rows.request_ids.Take(), rows.answers.Take()};
  }
  return connection.Exec(kInsertRequests, rows.parameters).status();
}

absl::StatusOr<uint64_t> GroupWriter::AddAll(absl::string_view list) {
  list_.Reset(list);
  uint64_t count = 0;
  while (true) {
    const auto item = list_.Next();
    if (!item.ok()) return Error(errors::kMalformedFrame, item.status().message());
    if (!*item) return count;
    if (absl::Status status = Add((*item)->transaction); !status.ok()) return status;
    ++count;
  }
}

absl::Status GroupWriter::LookUp(Connection& connection, ValueType type, Rows& rows,
                                 const std::vector<size_t>& wanted) {
  if (wanted.empty()) return absl::OkStatus();
  BinaryArray keys(Type::kText);
  for (const size_t index : wanted) keys.AddText(rows.unknown[index].key);
  const auto found = connection.Exec(PerType<MakeGroupStatements>(type).look_up, {keys.Take()});
  if (!found.ok()) return found.status();
  for (const auto& row : *found) {
    uint64_t n = 0;
    uint64_t id = 0;
    if (!absl::SimpleAtoi(TextOf(row[0]), &n) || !absl::SimpleAtoi(TextOf(row[1]), &id) || n - 1 >= wanted.size()) {
      return absl::InternalError("PostgreSQL: an id is no number");
    }
    rows.unknown[wanted[n - 1]].id = id;
  }
  return absl::OkStatus();
}

absl::Status GroupWriter::InsertKeys(Connection& connection, ValueType type, Rows& rows,
                                     const std::vector<size_t>& wanted) {
  if (wanted.empty()) return absl::OkStatus();
  BinaryArray ids(Type::kBigint);
  BinaryArray keys(Type::kText);
  absl::flat_hash_map<uint64_t, size_t> by_id;
  for (const size_t index : wanted) {
    ids.AddBigint(rows.unknown[index].first_revision);
    keys.AddText(rows.unknown[index].key);
    by_id[rows.unknown[index].first_revision] = index;
  }
  const auto inserted = connection.Exec(PerType<MakeGroupStatements>(type).insert_keys, {ids.Take(), keys.Take()});
  if (!inserted.ok()) return inserted.status();
  for (const auto& row : *inserted) {
    uint64_t id = 0;
    if (!absl::SimpleAtoi(TextOf(row[0]), &id) || !by_id.contains(id)) {
      return absl::InternalError("PostgreSQL: an id is no number");
    }
    rows.unknown[by_id[id]].id = id;
  }
  return absl::OkStatus();
}

// A key that was absent is most likely new, any other one has a row: each is tried that way first.
absl::Status GroupWriter::FindKeys(Connection& connection, ValueType type, Rows& rows) {
  std::vector<size_t> known;
  for (size_t i = 0; i < rows.unknown.size(); ++i) {
    // The group before this one may have inserted it since it was added.
    rows.unknown[i].id = key_ids_.Find(type, rows.unknown[i].key).value_or(0);
    if (rows.unknown[i].id == 0 && !rows.unknown[i].was_absent) known.push_back(i);
  }
  if (absl::Status status = LookUp(connection, type, rows, known); !status.ok()) return status;
  const auto without_id = [&rows] {
    std::vector<size_t> missing;
    for (size_t i = 0; i < rows.unknown.size(); ++i) {
      if (rows.unknown[i].id == 0) missing.push_back(i);
    }
    return missing;
  };
  if (absl::Status status = InsertKeys(connection, type, rows, without_id()); !status.ok()) return status;
  if (absl::Status status = LookUp(connection, type, rows, without_id()); !status.ok()) return status;
  return without_id().empty() ? absl::OkStatus() : absl::InternalError("PostgreSQL: a key has no row");
}

void GroupWriter::Finish(ValueType type, Rows& rows) {
  const auto key_column = [&rows](const std::vector<KeyRef>& refs) {
    BinaryArray column(Type::kBigint);
    for (const KeyRef& ref : refs) column.AddBigint(ref.id != 0 ? ref.id : rows.unknown[ref.unknown].id);
    return column.Take();
  };
  if (rows.parameters.empty()) {
    rows.parameters = {rows.ids.Take(),          rows.operations.Take(), "",
                       rows.previous_ids.Take(), rows.batches.Take(),    rows.times.Take(),
                       rows.expiries.Take(),     rows.actors.Take(),     rows.request_ids.Take()};
    if (rows.values) rows.parameters.push_back(rows.values->Take());
    if (rows.results) rows.parameters.push_back(rows.results->Take());
    rows.hidden_parameters = {"", rows.hidden_ids.Take()};
    rows.element_parameters = {rows.element_ids.Take(), "", rows.elements.Take()};
    if (type == ValueType::kMap) rows.element_parameters.push_back(rows.element_values.Take());
  }
  rows.parameters[2] = key_column(rows.keys);
  rows.hidden_parameters[0] = key_column(rows.hidden_keys);
  rows.element_parameters[1] = key_column(rows.element_keys);
}

absl::Status GroupWriter::Write(Connection& connection) {
  for (const ValueType type : kValueTypes) {
    std::optional<Rows>& rows = types_[static_cast<size_t>(type)];
    if (!rows) continue;
    if (absl::Status status = FindKeys(connection, type, *rows); !status.ok()) return status;
    Finish(type, *rows);
    const GroupStatements& statements = PerType<MakeGroupStatements>(type);
    if (const auto done = connection.Exec(statements.insert_rows, rows->parameters); !done.ok()) return done.status();
    if (!rows->hidden_keys.empty()) {
      const auto hidden = connection.Exec(statements.hide, rows->hidden_parameters);
      if (!hidden.ok()) return hidden.status();
    }
    if (rows->element_keys.empty()) continue;
    const auto done = connection.Exec(statements.insert_elements, rows->element_parameters);
    if (!done.ok()) return done.status();
  }
  return WriteRequests(connection);
}

void GroupWriter::RememberKeys() {
  for (const ValueType type : kValueTypes) {
    const std::optional<Rows>& rows = types_[static_cast<size_t>(type)];
    if (!rows) continue;
    for (const UnknownKey& unknown : rows->unknown) key_ids_.Remember(type, unknown.key, unknown.id);
  }
}

}  // namespace kvs::txn
