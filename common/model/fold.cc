#include "common/model/fold.h"

#include <absl/base/casts.h>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace kvs {
namespace {

absl::Status WrongType() { return absl::DataLossError("an operation does not belong to the type of its key"); }
absl::Status WrongState() { return absl::DataLossError("an operation cannot have had its effect on this value"); }

// Build: what is assigned to a stored value, from the operand of a Put.
int64_t Build(int64_t value) { return value; }
uint64_t Build(uint64_t value) { return value; }
double Build(double value) { return value; }
absl::string_view Build(absl::string_view value) { return value; }
SetValue Build(const Texts& members) {
  SetValue set;
  for (const absl::string_view member : members) set.Insert(member);
  return set;
}
MapValue Build(const Fields& fields) {
  MapValue map;
  for (const auto& [name, value] : fields) map.Put(name, value);
  return map;
}

template <class T>
void Assign(T& value, T built) {
  value = std::move(built);
}
void Assign(StringValue& value, absl::string_view text) { value.Assign(text); }

// Of floats the bits: -0 is not 0.
template <class T>
bool SameNumber(T a, T b) {
  return absl::bit_cast<uint64_t>(a) == absl::bit_cast<uint64_t>(b);
}

// Change: what an operation does to a value of the type that it belongs to.
template <class T, class Op>
absl::Status Change(T&, const Op&) {
  return WrongType();
}

absl::Status Change(int64_t& value, const operation::IntIncrement& op) {
  value = op.result;
  return absl::OkStatus();
}

absl::Status Change(uint64_t& value, const operation::UintIncrement& op) {
  value = op.result;
  return absl::OkStatus();
}

absl::Status Change(double& value, const operation::FloatIncrement& op) {
  value = op.result;
  return absl::OkStatus();
}

absl::Status Change(StringValue& value, const operation::Append& op) {
  value.Append(op.text);
  return absl::OkStatus();
}

absl::Status Change(SetValue& set, const operation::AddMembers& op) {
  for (const absl::string_view member : op.members) {
    if (!set.Insert(member)) return WrongState();
  }
  return absl::OkStatus();
}

absl::Status Change(SetValue& set, const operation::RemoveMembers& op) {
  for (const absl::string_view member : op.members) {
    if (!set.Erase(member)) return WrongState();
  }
  return absl::OkStatus();
}

absl::Status Change(MapValue& map, const operation::PutFields& op) {
  for (const auto& [name, value] : op.fields) map.Put(name, value);
  return absl::OkStatus();
}

absl::Status Change(MapValue& map, const operation::RemoveFields& op) {
  for (const absl::string_view name : op.names) {
    if (!map.Erase(name)) return WrongState();
  }
  return absl::OkStatus();
}

template <class T>
absl::Status Change(T& value, const operation::SetExpiry& op) {
  if constexpr (std::is_arithmetic_v<T>) {
    const T* const number = op.number ? std::get_if<T>(&*op.number) : nullptr;
    return number != nullptr && SameNumber(*number, value) ? absl::OkStatus() : WrongState();
  } else {
    return op.number ? WrongType() : absl::OkStatus();
  }
}

template <class T>
absl::Status Change(T& value, const operation::Put& op) {
  const auto* const operand = std::get_if<static_cast<size_t>(kTypeOf<T>)>(&op.value);
  if (!operand) return WrongType();
  Assign(value, Build(*operand));
  return absl::OkStatus();
}

}  // namespace

template <class T>
absl::Status Fold(T& value, const Operation& operation) {
  return std::visit([&](const auto& op) { return Change(value, op); }, operation);
}

bool NeedsKey(const Operation& operation) {
  return std::holds_alternative<operation::Delete>(operation) ||
         std::holds_alternative<operation::SetExpiry>(operation);
}

template absl::Status Fold(int64_t&, const Operation&);
template absl::Status Fold(uint64_t&, const Operation&);
template absl::Status Fold(double&, const Operation&);
template absl::Status Fold(StringValue&, const Operation&);
template absl::Status Fold(SetValue&, const Operation&);
template absl::Status Fold(MapValue&, const Operation&);

}  // namespace kvs
