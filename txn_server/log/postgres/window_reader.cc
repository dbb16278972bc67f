#include "txn_server/log/postgres/window_reader.h"

#include <absl/base/casts.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "common/errors.h"
#include "common/hex.h"
#include "txn_server/log/postgres/binary_parameters.h"
#include "txn_server/log/postgres/per_type.h"
#include "txn_server/log/postgres/transaction_check.h"

namespace kvs::txn {
namespace {

// The columns of a row. Times and floats come as the hexadecimal digits of their binary form, which is exact and quick.
enum Column { kId, kOperation, kKeyId, kPrevious, kBatch, kTime, kExpiry, kActor, kRequestId, kValue, kResult };

constexpr absl::string_view kSetExpiry = "set_expiry";

const std::string& kReadAnswers = *new std::string(
    "SELECT id, first_id, command_hash, encode(answer, 'hex') FROM requests"
    " WHERE id BETWEEN $1::bigint AND $2::bigint");

constexpr char kNotAsWritten[] = "the row is not as it was written";

struct WindowStatements {
  std::string rows;
  // Without a join: the index sorts the ids of an array and drops those that are there twice, and then visits each of
  // its pages and of those of the keys once, which takes less time than any join or than sorting them in the query.
  std::string keys;      // id, key
  std::string elements;  // of sets and maps: revision, name, value
};

WindowStatements MakeWindowStatements(ValueType type) {
  const std::string name(TypeName(type));
  const auto rows = [&name](absl::string_view more) {
    return absl::StrCat(
        "SELECT id, transaction_type, key_id, previous_id, batch,"
        " encode(timestamptz_send(insert_time), 'hex'), encode(timestamptz_send(expires_at), 'hex'), actor,"
        " request_id",
        more, " FROM ", name, "_transactions WHERE id BETWEEN $1::bigint AND $2::bigint ORDER BY id");
  };
  const std::string keys = absl::StrCat("SELECT id, key FROM ", name, "_keys WHERE id = ANY (ARRAY(SELECT key_id FROM ",
                                        name, "_transactions WHERE id BETWEEN $1::bigint AND $2::bigint))");
  switch (type) {
    case ValueType::kInt:
    case ValueType::kUint:
      return {rows(", value, result"), keys, ""};
    case ValueType::kFloat:
      return {rows(", encode(float8send(value), 'hex'), encode(float8send(result), 'hex')"), keys, ""};
    case ValueType::kString:
      return {rows(", value"), keys, ""};
    case ValueType::kSet:
      return {rows(""), keys,
              "SELECT transaction_id, member, NULL FROM set_members"
              " WHERE transaction_id BETWEEN $1::bigint AND $2::bigint ORDER BY transaction_id, member"};
    case ValueType::kMap:
      return {rows(""), keys,
              "SELECT transaction_id, key, value FROM map_key_value_pairs"
              " WHERE transaction_id BETWEEN $1::bigint AND $2::bigint ORDER BY transaction_id, key"};
  }
  return {};
}

absl::Status Damaged(uint64_t revision, absl::string_view what) {
  return Error(errors::kDamagedLog, absl::StrCat("PostgreSQL: at revision ", revision, ", ", what),
               {{"revision", absl::StrCat(revision)}});
}

// Reads a number that is not null; false if it is something else.
template <class T>
bool Read(const pqxx::field& field, T* value, int base = 10) {
  const absl::string_view text = TextOf(field);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value, base);
  return error == std::errc() && end == text.data() + text.size();
}

bool Read(const pqxx::field& field, double* value) {
  uint64_t bits = 0;
  if (!Read(field, &bits, 16)) return false;
  std::memcpy(value, &bits, sizeof(*value));
  return true;
}

bool ReadOrZero(const pqxx::field& field, uint64_t* value) {
  *value = 0;
  return field.is_null() || Read(field, value);
}

absl::string_view TextOrNothing(const pqxx::field& field) {
  return field.is_null() ? absl::string_view() : TextOf(field);
}

template <class T>
struct IncrementOf;
template <>
struct IncrementOf<int64_t> {
  using type = operation::IntIncrement;
};
template <>
struct IncrementOf<uint64_t> {
  using type = operation::UintIncrement;
};
template <>
struct IncrementOf<double> {
  using type = operation::FloatIncrement;
};

// Reads the operation of a number; false if the row is not one.
template <class T>
bool ReadNumber(const pqxx::row& row, absl::string_view name, Operation* result) {
  T value{};
  T after{};
  if (row[kResult].is_null() || !Read(row[kResult], &after)) return false;
  if (name == kSetExpiry) {
    *result = operation::SetExpiry{after};
    return row[kValue].is_null();
  }
  if (row[kValue].is_null() || !Read(row[kValue], &value)) return false;
  if (name == "put") {
    *result = operation::Put{value};
    // Of floats the bits, as -0 is not 0.
    return absl::bit_cast<uint64_t>(value) == absl::bit_cast<uint64_t>(after);
  }
  typename IncrementOf<T>::type increment;
  increment.delta = value;
  increment.result = after;
  if constexpr (std::is_same_v<T, uint64_t>) increment.decrement = name == "decrement";
  *result = increment;
  return name == "increment" || name == "decrement";
}

bool ReadText(const pqxx::row& row, absl::string_view name, Operation* result) {
  if (row[kValue].is_null()) return false;
  if (name == "put") {
    *result = operation::Put{TextOf(row[kValue])};
  } else {
    *result = operation::Append{TextOf(row[kValue])};
  }
  return name == "put" || name == "append";
}

Texts NamesOf(const Fields& elements) {
  Texts names;
  names.reserve(elements.size());
  for (const auto& [name, value] : elements) names.push_back(name);
  return names;
}

bool ReadSet(absl::string_view name, const Fields& elements, Operation* result) {
  if (name == "put") {
    *result = operation::Put{NamesOf(elements)};
  } else if (name == "add_members") {
    *result = operation::AddMembers{NamesOf(elements)};
  } else {
    *result = operation::RemoveMembers{NamesOf(elements)};
  }
  return name == "put" || name == "add_members" || name == "remove_members";
}

// Whether the values of fields are there, or all of them are null.
bool HaveValues(const Fields& elements, bool have) {
  return std::all_of(elements.begin(), elements.end(),
                     [have](const auto& field) { return (field.second.data() != nullptr) == have; });
}

bool ReadMap(absl::string_view name, Fields elements, Operation* result) {
  if (!HaveValues(elements, name != "remove_fields")) return false;
  if (name == "put") {
    *result = operation::Put{std::move(elements)};
  } else if (name == "put_fields") {
    *result = operation::PutFields{std::move(elements)};
  } else {
    *result = operation::RemoveFields{NamesOf(elements)};
  }
  return name == "put" || name == "put_fields" || name == "remove_fields";
}

bool HasNoValue(const pqxx::row& row) {
  for (pqxx::row::size_type column = kValue; column < row.size(); ++column) {
    if (!row[column].is_null()) return false;
  }
  return true;
}

// Nothing for what is no delete.
std::optional<operation::Delete::Cause> CauseOf(absl::string_view name) {
  using Cause = operation::Delete::Cause;
  if (name == "delete") return Cause::kRequested;
  if (name == "expire") return Cause::kExpired;
  if (name == "evict") return Cause::kEvicted;
  return std::nullopt;
}

bool ReadOperation(ValueType type, const pqxx::row& row, Fields elements, Operation* result) {
  const absl::string_view name = TextOf(row[kOperation]);
  if (const auto cause = CauseOf(name)) {
    *result = operation::Delete{*cause};
    return elements.empty() && HasNoValue(row);
  }
  const bool is_number = type == ValueType::kInt || type == ValueType::kUint || type == ValueType::kFloat;
  if (name == kSetExpiry && !is_number) {
    *result = operation::SetExpiry{};
    return elements.empty() && HasNoValue(row);
  }
  switch (type) {
    case ValueType::kInt:
      return ReadNumber<int64_t>(row, name, result);
    case ValueType::kUint:
      return ReadNumber<uint64_t>(row, name, result);
    case ValueType::kFloat:
      return ReadNumber<double>(row, name, result);
    case ValueType::kString:
      return ReadText(row, name, result);
    case ValueType::kSet:
      return ReadSet(name, elements, result);
    case ValueType::kMap:
      return ReadMap(name, std::move(elements), result);
  }
  return false;
}

}  // namespace

absl::StatusOr<Window> Window::Read(Connection& connection, uint64_t first, uint64_t last) {
  Window window(first, last);
  for (const ValueType type : kValueTypes) {
    if (absl::Status status = window.ReadRows(connection, type); !status.ok()) return status;
  }
  if (absl::Status status = window.ReadAnswers(connection); !status.ok()) return status;
  return window;
}

absl::Status Window::ReadAnswers(Connection& connection) {
  const auto rows = connection.Exec(kReadAnswers, {BinaryBigint(next_), BinaryBigint(last_)});
  if (!rows.ok()) return rows.status();
  answers_.reserve(static_cast<size_t>(rows->size()));
  for (const auto& row : *rows) {
    uint64_t revision = 0;
    int64_t command_hash = 0;
    AnswerRow answer;
    if (!kvs::txn::Read(row[0], &revision) || !kvs::txn::Read(row[1], &answer.first_revision) ||
        !kvs::txn::Read(row[2], &command_hash)) {
      return Damaged(next_, "a row of requests is not as it was written");
    }
    answer.command_hash = static_cast<uint64_t>(command_hash);
    answer.response = BytesOfHex(TextOf(row[3])).value_or("");
    answers_.emplace(revision, std::move(answer));
  }
  return absl::OkStatus();
}

bool Window::TakeRequest(const pqxx::row& row, Transaction* transaction) const {
  RequestInfo& request = transaction->request;
  request.id = TextOrNothing(row[kRequestId]);
  const auto known = answers_.find(transaction->revision);
  if (known == answers_.end()) return true;
  const AnswerRow& answer = known->second;
  if (request.id.empty() || answer.first_revision == 0 || answer.first_revision > transaction->revision ||
      transaction->revision - answer.first_revision >= std::numeric_limits<uint32_t>::max()) {
    return false;
  }
  const auto revisions = static_cast<uint32_t>(transaction->revision - answer.first_revision + 1);
  request.answer = Answer{answer.command_hash, revisions, answer.response};
  return true;
}

absl::Status Window::ReadRows(Connection& connection, ValueType type) {
  const WindowStatements& statements = PerType<MakeWindowStatements>(type);
  const std::vector<std::string> range = {BinaryBigint(next_), BinaryBigint(last_)};
  Rows& rows = types_[static_cast<size_t>(type)];
  auto found = connection.Exec(statements.rows, range);
  if (!found.ok()) return found.status();
  rows.rows = *std::move(found);
  if (rows.rows.empty()) return absl::OkStatus();
  auto keys = connection.Exec(statements.keys, range);
  if (!keys.ok()) return keys.status();
  rows.keys = *std::move(keys);
  if (!statements.elements.empty()) {
    auto elements = connection.Exec(statements.elements, range);
    if (!elements.ok()) return elements.status();
    rows.elements = *std::move(elements);
  }
  if (absl::Status status = IndexKeys(rows); !status.ok()) return status;
  return SetNextRevision(rows);
}

absl::Status Window::IndexKeys(Rows& rows) {
  rows.key_of_id.reserve(static_cast<size_t>(rows.keys.size()));
  for (const auto& row : rows.keys) {
    uint64_t id = 0;
    if (!kvs::txn::Read(row[0], &id)) return Damaged(next_, "the id of a key is no number");
    rows.key_of_id.emplace(id, TextOf(row[1]));
  }
  return absl::OkStatus();
}

absl::Status Window::SetNextRevision(Rows& rows) {
  rows.next_revision = 0;
  if (rows.next == rows.rows.size()) return absl::OkStatus();
  if (!kvs::txn::Read(rows.rows[rows.next][kId], &rows.next_revision)) return Damaged(next_, "an id is no number");
  return absl::OkStatus();
}

absl::Status Window::TakeElements(Rows& rows, uint64_t revision, Fields* elements) {
  while (rows.next_element < rows.elements.size()) {
    const pqxx::row row = rows.elements[rows.next_element];
    uint64_t of_revision = 0;
    if (!kvs::txn::Read(row[0], &of_revision) || of_revision < revision) {
      return Damaged(revision, "there are members or fields of a change that is missing");
    }
    if (of_revision > revision) return absl::OkStatus();
    elements->emplace_back(TextOf(row[1]), TextOrNothing(row[2]));
    ++rows.next_element;
  }
  return absl::OkStatus();
}

absl::StatusOr<Transaction> Window::Take(ValueType type, Rows& rows) {
  const pqxx::row row = rows.rows[rows.next++];
  Transaction transaction;
  transaction.revision = next_;
  transaction.type = type;
  Fields elements;
  if (absl::Status status = TakeElements(rows, next_, &elements); !status.ok()) return status;
  uint64_t batch = 0;
  uint64_t sent_time = 0;
  uint64_t sent_expiry = 0;
  uint64_t key_id = 0;
  if (!kvs::txn::Read(row[kKeyId], &key_id)) return Damaged(next_, kNotAsWritten);
  const auto key = rows.key_of_id.find(key_id);
  if (key == rows.key_of_id.end()) return Damaged(next_, "the row of its key is missing");
  if (!ReadOrZero(row[kPrevious], &transaction.previous_revision) || !ReadOrZero(row[kBatch], &batch) ||
      !kvs::txn::Read(row[kTime], &sent_time, 16) ||
      (!row[kExpiry].is_null() && !kvs::txn::Read(row[kExpiry], &sent_expiry, 16)) ||
      (batch != 0 && (batch < next_ || batch - next_ > std::numeric_limits<uint32_t>::max())) ||
      (batch_end_ >= next_ && batch != batch_end_) || FromTimestamp(sent_time) < time_micros_ ||
      !ReadOperation(type, row, std::move(elements), &transaction.operation)) {
    return Damaged(next_, kNotAsWritten);
  }
  transaction.key = key->second;
  transaction.time_micros = FromTimestamp(sent_time);
  if (!row[kExpiry].is_null()) transaction.expires_at_micros = FromTimestamp(sent_expiry);
  transaction.actor = TextOrNothing(row[kActor]);
  if (batch != 0) transaction.batch_remaining = static_cast<uint32_t>(batch - next_);
  if (!TakeRequest(row, &transaction) || !MayHaveBeenMade(transaction)) return Damaged(next_, kNotAsWritten);
  time_micros_ = transaction.time_micros;
  batch_end_ = batch;
  return transaction;
}

absl::StatusOr<std::optional<Transaction>> Window::Next() {
  if (next_ > last_) return std::nullopt;
  for (const ValueType type : kValueTypes) {
    Rows& rows = types_[static_cast<size_t>(type)];
    if (rows.next_revision != next_) continue;
    auto transaction = Take(type, rows);
    if (!transaction.ok()) return transaction.status();
    if (absl::Status status = SetNextRevision(rows); !status.ok()) return status;
    ++next_;
    return *std::move(transaction);
  }
  return Damaged(next_, "the row is missing");
}

}  // namespace kvs::txn
