#include "common/model/key_state.h"

#include <absl/strings/str_cat.h>

#include <utility>
#include <variant>

#include "common/model/fold.h"

namespace kvs {
namespace {

absl::Status HoleInHistory(uint64_t revision, ValueType type, absl::string_view why) {
  return absl::DataLossError(
      absl::StrCat("at revision ", revision, " (", TypeName(type), "), the history has a hole: ", why));
}

absl::Status DoesNotFollow(const Transaction& transaction, absl::string_view why) {
  return HoleInHistory(transaction.revision, transaction.type, why);
}

Value EmptyValue(ValueType type) {
  switch (type) {
    case ValueType::kInt:
      return int64_t{0};
    case ValueType::kUint:
      return uint64_t{0};
    case ValueType::kFloat:
      return 0.0;
    case ValueType::kString:
      return StringValue();
    case ValueType::kSet:
      return SetValue();
    case ValueType::kMap:
      return MapValue();
  }
  return int64_t{0};
}

size_t SizeOf(absl::string_view member) { return member.size(); }
size_t SizeOf(const std::pair<absl::string_view, absl::string_view>& field) {
  return field.first.size() + field.second.size();
}

// Emits a value that is whole: of a number or a string.
template <class T>
void EmitValue(const T& value, Transaction& transaction, absl::FunctionRef<void(const Transaction&)> emit) {
  transaction.operation = operation::Put{value};
  emit(transaction);
}

// Emits a collection as a Put of its first part, and what makes `More` of the others.
template <class More, class Part, class Elements>
void EmitParts(const Elements& elements, Transaction& transaction, absl::FunctionRef<void(const Transaction&)> emit) {
  Part part;
  size_t part_bytes = 0;
  const auto flush = [&] {
    if (transaction.previous_revision == 0) {
      transaction.operation = operation::Put{std::move(part)};
    } else {
      transaction.operation = More{std::move(part)};
    }
    emit(transaction);
    transaction.previous_revision = transaction.revision;
    part = Part();
    part_bytes = 0;
  };
  for (const auto& element : elements) {
    const typename Part::value_type view(element);
    if (!part.empty() && part_bytes + SizeOf(view) > kSnapshotPartBytes) flush();
    part.push_back(view);
    part_bytes += SizeOf(view);
  }
  if (!part.empty() || transaction.previous_revision == 0) flush();
}

struct Emitter {
  Transaction& transaction;
  absl::FunctionRef<void(const Transaction&)> emit;

  void operator()(int64_t value) const { EmitValue(value, transaction, emit); }
  void operator()(uint64_t value) const { EmitValue(value, transaction, emit); }
  void operator()(double value) const { EmitValue(value, transaction, emit); }
  void operator()(const StringValue& value) const { EmitValue(value.view(), transaction, emit); }
  void operator()(const SetValue& set) const {
    EmitParts<operation::AddMembers, Texts>(set.members(), transaction, emit);
  }
  void operator()(const MapValue& map) const {
    EmitParts<operation::PutFields, Fields>(map.fields(), transaction, emit);
  }
};

}  // namespace

absl::Status WrongChangeBefore(uint64_t revision, ValueType type, uint64_t previous_revision, uint64_t is) {
  return HoleInHistory(revision, type,
                       absl::StrCat("the key's change before should be ", previous_revision, " but is ", is));
}

absl::Status KeyState::Apply(const Transaction& transaction) {
  if (transaction.previous_revision != revision_) {
    return WrongChangeBefore(transaction.revision, transaction.type, transaction.previous_revision, revision_);
  }
  if (!present() && NeedsKey(transaction.operation)) return DoesNotFollow(transaction, "the key is absent");
  if (std::holds_alternative<operation::Delete>(transaction.operation)) {
    *this = KeyState();
    return absl::OkStatus();
  }
  if (!present()) value_ = EmptyValue(transaction.type);
  const absl::Status status = std::visit([&](auto& value) { return Fold(value, transaction.operation); }, value_);
  if (!status.ok()) return DoesNotFollow(transaction, status.message());
  revision_ = transaction.revision;
  time_micros_ = transaction.time_micros;
  expires_at_micros_ = transaction.expires_at_micros;
  actor_.assign(transaction.actor.data(), transaction.actor.size());
  return absl::OkStatus();
}

void KeyState::ForEachTransaction(absl::string_view key, absl::FunctionRef<void(const Transaction&)> emit) const {
  if (!present()) return;
  Transaction transaction;
  transaction.revision = revision_;
  transaction.time_micros = time_micros_;
  transaction.expires_at_micros = expires_at_micros_;
  transaction.actor = actor_;
  transaction.type = TypeOf(value_);
  transaction.key = key;
  std::visit(Emitter{transaction, emit}, value_);
}

}  // namespace kvs
