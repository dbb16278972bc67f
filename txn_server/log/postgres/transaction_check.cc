#include "txn_server/log/postgres/transaction_check.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "common/limits.h"

namespace kvs::txn {
namespace {

bool IsName(absl::string_view name) { return !name.empty() && name.size() <= kMaxKeyBytes; }
// The ledger takes whatever fits into a frame.
bool IsText(absl::string_view text) { return text.size() <= kMaxFrameBytes; }

bool AreNames(const Texts& names) { return std::all_of(names.begin(), names.end(), IsName); }
bool AreFields(const Fields& fields) {
  return std::all_of(fields.begin(), fields.end(),
                     [](const auto& field) { return IsName(field.first) && IsText(field.second); });
}

struct ValueCheck {
  bool operator()(int64_t) const { return true; }
  bool operator()(uint64_t) const { return true; }
  bool operator()(double value) const { return std::isfinite(value); }
  bool operator()(absl::string_view text) const { return IsText(text); }
  bool operator()(const Texts& members) const { return AreNames(members); }
  bool operator()(const Fields& fields) const { return AreFields(fields); }
};

struct OperationCheck {
  bool operator()(const operation::Put& op) const { return std::visit(ValueCheck(), op.value); }
  bool operator()(const operation::Delete&) const { return true; }
  bool operator()(const operation::IntIncrement& op) const {
    int64_t before = 0;
    return !__builtin_sub_overflow(op.result, op.delta, &before);
  }
  bool operator()(const operation::UintIncrement& op) const {
    uint64_t before = 0;
    return op.decrement ? !__builtin_add_overflow(op.result, op.delta, &before) : op.result >= op.delta;
  }
  bool operator()(const operation::FloatIncrement& op) const {
    return std::isfinite(op.delta) && std::isfinite(op.result);
  }
  bool operator()(const operation::Append& op) const { return IsText(op.text); }
  bool operator()(const operation::AddMembers& op) const { return !op.members.empty() && AreNames(op.members); }
  bool operator()(const operation::RemoveMembers& op) const { return !op.members.empty() && AreNames(op.members); }
  bool operator()(const operation::PutFields& op) const { return !op.fields.empty() && AreFields(op.fields); }
  bool operator()(const operation::RemoveFields& op) const { return !op.names.empty() && AreNames(op.names); }
  bool operator()(const operation::SetExpiry& op) const { return !op.number || std::visit(ValueCheck(), *op.number); }
};

}  // namespace

bool MayHaveBeenMade(const Transaction& transaction) {
  const bool is_removal = std::holds_alternative<operation::Delete>(transaction.operation);
  return IsName(transaction.key) && transaction.previous_revision < transaction.revision &&
         transaction.expires_at_micros >= 0 && (!is_removal || transaction.expires_at_micros == 0) &&
         std::visit(OperationCheck(), transaction.operation);
}

}  // namespace kvs::txn
