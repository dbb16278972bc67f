#include "common/model/value.h"

namespace kvs {
namespace {

// The nodes of a B-tree: for each element its part of nodes that are between half full and full, and, where they are
// more than one, those that are nearly empty.
constexpr size_t kMemberNodeBytes = 44;
constexpr size_t kFieldNodeBytes = 86;
constexpr size_t kMembersOfOneNode = 7;
constexpr size_t kFieldsOfOneNode = 3;
constexpr size_t kFirstNodesBytes = 320;

size_t PairHeapBytes(absl::string_view name, absl::string_view value) {
  return TextHeapBytes(name.size()) + TextHeapBytes(value.size());
}

}  // namespace

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

size_t SetValue::HeapBytes(size_t members, size_t text_heap_bytes) {
  return members * kMemberNodeBytes + (members > kMembersOfOneNode ? kFirstNodesBytes : 0) + text_heap_bytes;
}

bool SetValue::Insert(absl::string_view member) {
  const bool inserted = members_.emplace(member).second;
  if (!inserted) return false;
  bytes_ += member.size();
  text_heap_bytes_ += TextHeapBytes(member.size());
  return true;
}

bool SetValue::Erase(absl::string_view member) {
  const auto it = members_.find(member);
  if (it == members_.end()) return false;
  bytes_ -= it->size();
  text_heap_bytes_ -= TextHeapBytes(it->size());
  members_.erase(it);
  return true;
}

size_t MapValue::HeapBytes(size_t fields, size_t text_heap_bytes) {
  return fields * kFieldNodeBytes + (fields > kFieldsOfOneNode ? kFirstNodesBytes : 0) + text_heap_bytes;
}

bool MapValue::Put(absl::string_view name, absl::string_view value) {
  const auto it = fields_.find(name);
  if (it == fields_.end()) {
    fields_.emplace(name, value);
    bytes_ += name.size() + value.size();
    text_heap_bytes_ += PairHeapBytes(name, value);
    return true;
  }
  text_heap_bytes_ += TextHeapBytes(value.size());
  text_heap_bytes_ -= TextHeapBytes(it->second.size());
  bytes_ += value.size();
  bytes_ -= it->second.size();
  it->second.assign(value.data(), value.size());
  return false;
}

bool MapValue::Erase(absl::string_view name) {
  const auto it = fields_.find(name);
  if (it == fields_.end()) return false;
  bytes_ -= it->first.size() + it->second.size();
  text_heap_bytes_ -= PairHeapBytes(it->first, it->second);
  fields_.erase(it);
  return true;
}

const std::string* MapValue::Find(absl::string_view name) const {
  const auto it = fields_.find(name);
  return it == fields_.end() ? nullptr : &it->second;
}

}  // namespace kvs
