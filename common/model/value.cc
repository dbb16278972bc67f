#include "common/model/value.h"

namespace kvs {

absl::string_view TypeName(ValueType type) {
  switch (type) {
    case ValueType::kInt:
      return "int";
    case ValueType::kUint:
      return "uint";
    case ValueType::kFloat:
      return "float";
    case ValueType::kString:
      return "string";
    case ValueType::kSet:
      return "set";
    case ValueType::kMap:
      return "map";
  }
  return "";
}

bool SetValue::Insert(absl::string_view member) {
  const bool inserted = members_.emplace(member).second;
  if (inserted) bytes_ += member.size();
  return inserted;
}

bool SetValue::Erase(absl::string_view member) {
  const auto it = members_.find(member);
  if (it == members_.end()) return false;
  bytes_ -= it->size();
  members_.erase(it);
  return true;
}

bool MapValue::Put(absl::string_view name, absl::string_view value) {
  const auto it = fields_.find(name);
  if (it == fields_.end()) {
    fields_.emplace(name, value);
    bytes_ += name.size() + value.size();
    return true;
  }
  bytes_ += value.size();
  bytes_ -= it->second.size();
  it->second.assign(value.data(), value.size());
  return false;
}

bool MapValue::Erase(absl::string_view name) {
  const auto it = fields_.find(name);
  if (it == fields_.end()) return false;
  bytes_ -= it->first.size() + it->second.size();
  fields_.erase(it);
  return true;
}

const std::string* MapValue::Find(absl::string_view name) const {
  const auto it = fields_.find(name);
  return it == fields_.end() ? nullptr : &it->second;
}

}  // namespace kvs
