#include "clients/cli/transaction_text.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/time.h>

#include <variant>

#include "clients/cli/json.h"
#include "clients/cli/types.h"
#include "clients/cli/value_text.h"
#include "common/logging/format.h"
#include "common/model/value.h"

namespace kvs::cli {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string TextsJson(const Texts& texts) {
  return absl::StrCat(
      "[", absl::StrJoin(texts, ",", [](std::string* out, absl::string_view text) { out->append(JsonString(text)); }),
      "]");
}

std::string FieldsJson(const Fields& fields) {
  JsonObject object;
  for (const auto& [name, value] : fields) object.Add(name, value);
  return object.ToString();
}

// A value as JSON. The text form is the same but for integers, which it shows without quotes.
std::string ValueJson(const ValueView& value) {
  return std::visit(Overloaded{[](int64_t number) { return JsonString(absl::StrCat(number)); },
                               [](uint64_t number) { return JsonString(absl::StrCat(number)); },
                               [](double number) { return FormatFloat(number); },
                               [](absl::string_view text) { return JsonString(text); },
                               [](const Texts& members) { return TextsJson(members); },
                               [](const Fields& fields) { return FieldsJson(fields); }},
                    value);
}

std::string ValueLine(const ValueView& value) {
  if (const auto* const number = std::get_if<int64_t>(&value)) return absl::StrCat(*number);
  if (const auto* const number = std::get_if<uint64_t>(&value)) return absl::StrCat(*number);
  return ValueJson(value);
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

std::string IncrementLine(absl::string_view delta, absl::string_view result) {
  return absl::StrCat("increment by ", delta, " to ", result);
}

std::string UintDelta(const operation::UintIncrement& increment) {
  return absl::StrCat(increment.decrement ? "-" : "", increment.delta);
}

std::string OperationLine(const Operation& operation) {
  return std::visit(
      Overloaded{
          [](const operation::Put& put) { return absl::StrCat("put ", ValueLine(put.value)); },
          [](const operation::Delete& removal) { return std::string(NameOf(removal.cause)); },
          [](const operation::IntIncrement& i) { return IncrementLine(absl::StrCat(i.delta), absl::StrCat(i.result)); },
          [](const operation::UintIncrement& i) { return IncrementLine(UintDelta(i), absl::StrCat(i.result)); },
          [](const operation::FloatIncrement& i) { return IncrementLine(FormatFloat(i.delta), FormatFloat(i.result)); },
          [](const operation::Append& append) { return absl::StrCat("append ", JsonString(append.text)); },
          [](const operation::AddMembers& add) { return absl::StrCat("add members ", TextsJson(add.members)); },
          [](const operation::RemoveMembers& remove) {
            return absl::StrCat("remove members ", TextsJson(remove.members));
          },
          [](const operation::PutFields& put) { return absl::StrCat("put fields ", FieldsJson(put.fields)); },
          [](const operation::RemoveFields& remove) { return absl::StrCat("remove fields ", TextsJson(remove.names)); },
          [](const operation::SetExpiry&) { return std::string("set expiry"); },
      },
      operation);
}

void AddIncrement(absl::string_view delta, absl::string_view result, JsonObject* object) {
  object->Add("operation", "increment").AddJson("delta", delta).AddJson("result", result);
}

void AddOperation(const Operation& operation, JsonObject* object) {
  std::visit(
      Overloaded{
          [&](const operation::Put& put) { object->Add("operation", "put").AddJson("value", ValueJson(put.value)); },
          [&](const operation::Delete& removal) { object->Add("operation", NameOf(removal.cause)); },
          [&](const operation::IntIncrement& i) {
            AddIncrement(JsonString(absl::StrCat(i.delta)), JsonString(absl::StrCat(i.result)), object);
          },
          [&](const operation::UintIncrement& i) {
            AddIncrement(JsonString(UintDelta(i)), JsonString(absl::StrCat(i.result)), object);
          },
          [&](const operation::FloatIncrement& i) {
            AddIncrement(FormatFloat(i.delta), FormatFloat(i.result), object);
          },
          [&](const operation::Append& append) { object->Add("operation", "append").Add("value", append.text); },
          [&](const operation::AddMembers& add) {
            object->Add("operation", "addMembers").AddJson("members", TextsJson(add.members));
          },
          [&](const operation::RemoveMembers& remove) {
            object->Add("operation", "removeMembers").AddJson("members", TextsJson(remove.members));
          },
          [&](const operation::PutFields& put) {
            object->Add("operation", "putFields").AddJson("fields", FieldsJson(put.fields));
          },
          [&](const operation::RemoveFields& remove) {
            object->Add("operation", "removeFields").AddJson("names", TextsJson(remove.names));
          },
          [&](const operation::SetExpiry&) { object->Add("operation", "setExpiry"); },
      },
      operation);
}

}  // namespace

std::string TransactionText(const Transaction& transaction) {
  return absl::StrCat(
      transaction.revision, " ", TimeText(transaction.time_micros), " ", TypeName(transaction.type), " ",
      JsonString(transaction.key), " ", OperationLine(transaction.operation),
      transaction.expires_at_micros == 0 ? "" : absl::StrCat(", expires ", TimeText(transaction.expires_at_micros)),
      transaction.actor.empty() ? "" : ", by ", transaction.actor,
      transaction.request.id.empty() ? "" : absl::StrCat(", request ", JsonString(transaction.request.id)),
      transaction.batch_remaining == 0 ? "" : absl::StrCat(", with the next ", transaction.batch_remaining));
}

std::string TransactionJson(const Transaction& transaction) {
  JsonObject object;
  object.Add("revision", transaction.revision)
      .Add("time", TimeText(transaction.time_micros))
      .Add("actor", transaction.actor.empty() ? absl::string_view("anonymous") : transaction.actor)
      .Add("type", TypeName(transaction.type))
      .Add("key", transaction.key)
      .Add("previousRevision", transaction.previous_revision);
  if (transaction.batch_remaining != 0) object.Add("batchRemaining", uint64_t{transaction.batch_remaining});
  if (transaction.expires_at_micros != 0) object.Add("expiresAt", TimeText(transaction.expires_at_micros));
  if (!transaction.request.id.empty()) object.Add("requestId", transaction.request.id);
  AddOperation(transaction.operation, &object);
  return object.ToString();
}

}  // namespace kvs::cli
