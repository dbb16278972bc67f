// The values that a key may have, and the types they belong to.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/strings/string_view.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <variant>

#include "common/model/heap_bytes.h"
#include "common/model/string_value.h"

namespace kvs {

enum class ValueType : uint8_t { kInt, kUint, kFloat, kString, kSet, kMap };

inline constexpr std::array kValueTypes = {ValueType::kInt,    ValueType::kUint, ValueType::kFloat,
                                           ValueType::kString, ValueType::kSet,  ValueType::kMap};
inline constexpr size_t kValueTypeCount = kValueTypes.size();

// The name that people see: "int", "uint", "float", "string", "set", "map".
absl::string_view TypeName(ValueType type);

// A set of texts in byte order that knows its size.
class SetValue {
 public:
  using Members = absl::btree_set<std::string, std::less<>>;

  // Whether it was not there.
  bool Insert(absl::string_view member);
  // Whether it was there.
  bool Erase(absl::string_view member);
  bool Contains(absl::string_view member) const { return members_.contains(member); }

  const Members& members() const { return members_; }
  // The bytes of all members.
  size_t bytes() const { return bytes_; }
  // What they take on the heap, as an estimate.
  size_t heap_bytes() const { return HeapBytes(members_.size(), text_heap_bytes_); }
  // The same for so many members whose texts take so much.
  static size_t HeapBytes(size_t members, size_t text_heap_bytes);
  // What the texts of all members take on the heap.
  size_t text_heap_bytes() const { return text_heap_bytes_; }

  friend bool operator==(const SetValue& a, const SetValue& b) { return a.members_ == b.members_; }

 private:
  Members members_;
  size_t bytes_ = 0;
  size_t text_heap_bytes_ = 0;
};

// A map from text to text in byte order of the names that knows its size.
class MapValue {
 public:
  using Fields = absl::btree_map<std::string, std::string, std::less<>>;

  // Whether the name was not there.
  bool Put(absl::string_view name, absl::string_view value);
  // Whether it was there.
  bool Erase(absl::string_view name);
  // Null if it is not there.
  const std::string* Find(absl::string_view name) const;

  const Fields& fields() const { return fields_; }
  // The bytes of all names and values.
  size_t bytes() const { return bytes_; }
  // What they take on the heap, as an estimate.
  size_t heap_bytes() const { return HeapBytes(fields_.size(), text_heap_bytes_); }
  // The same for so many fields whose texts take so much.
  static size_t HeapBytes(size_t fields, size_t text_heap_bytes);
  // What all names and values take on the heap.
  size_t text_heap_bytes() const { return text_heap_bytes_; }

  friend bool operator==(const MapValue& a, const MapValue& b) { return a.fields_ == b.fields_; }

 private:
  Fields fields_;
  size_t bytes_ = 0;
  size_t text_heap_bytes_ = 0;
};

// What a value takes on the heap, as an estimate that depends on nothing but the value.
inline size_t HeapBytesOf(int64_t) { return 0; }
inline size_t HeapBytesOf(uint64_t) { return 0; }
inline size_t HeapBytesOf(double) { return 0; }
inline size_t HeapBytesOf(const StringValue& value) { return StringValue::HeapBytes(value.size()); }
inline size_t HeapBytesOf(const SetValue& value) { return value.heap_bytes(); }
inline size_t HeapBytesOf(const MapValue& value) { return value.heap_bytes(); }

// The alternatives stand in the order of ValueType.
using Value = std::variant<int64_t, uint64_t, double, StringValue, SetValue, MapValue>;

// The alternative of Value that belongs to a type.
template <ValueType kType>
using ValueOf = std::variant_alternative_t<static_cast<size_t>(kType), Value>;

// The type that an alternative of Value belongs to.
template <class T>
inline constexpr ValueType kTypeOf = std::is_same_v<T, int64_t>       ? ValueType::kInt
                                     : std::is_same_v<T, uint64_t>    ? ValueType::kUint
                                     : std::is_same_v<T, double>      ? ValueType::kFloat
                                     : std::is_same_v<T, StringValue> ? ValueType::kString
                                     : std::is_same_v<T, SetValue>    ? ValueType::kSet
                                                                      : ValueType::kMap;

inline ValueType TypeOf(const Value& value) { return static_cast<ValueType>(value.index()); }

}  // namespace kvs
