#include "kvs_server/store/footprint.h"

#include <string>
#include <type_traits>

namespace kvs::server {
namespace {

// A collection as its size is estimated: elements, and what their texts take.
struct Elements {
  size_t count = 0;
  size_t text_bytes = 0;

  void Add(size_t bytes) {
    ++count;
    text_bytes += bytes;
  }
  void Remove(size_t bytes) {
    --count;
    text_bytes -= bytes;
  }
};

size_t BytesOf(absl::string_view member) { return TextHeapBytes(member.size()); }
size_t BytesOf(absl::string_view name, absl::string_view value) { return BytesOf(name) + BytesOf(value); }

Elements ElementsOf(const SetValue* value) {
  return value ? Elements{value->members().size(), value->text_heap_bytes()} : Elements();
}
Elements ElementsOf(const MapValue* value) {
  return value ? Elements{value->fields().size(), value->text_heap_bytes()} : Elements();
}

size_t SetBytes(const Elements& elements) { return SetValue::HeapBytes(elements.count, elements.text_bytes); }
size_t MapBytes(const Elements& elements) { return MapValue::HeapBytes(elements.count, elements.text_bytes); }

size_t AfterAdd(Elements elements, const Texts& members) {
  for (const absl::string_view member : members) elements.Add(BytesOf(member));
  return SetBytes(elements);
}

size_t AfterRemove(Elements elements, const Texts& members) {
  for (const absl::string_view member : members) elements.Remove(BytesOf(member));
  return SetBytes(elements);
}

size_t AfterPut(const MapValue* value, const Fields& fields) {
  Elements elements = ElementsOf(value);
  for (const auto& [name, text] : fields) {
    if (const std::string* replaced = value ? value->Find(name) : nullptr) elements.Remove(BytesOf(name, *replaced));
    elements.Add(BytesOf(name, text));
  }
  return MapBytes(elements);
}

size_t AfterRemove(const MapValue& value, const Texts& names) {
  Elements elements = ElementsOf(&value);
  for (const absl::string_view name : names) elements.Remove(BytesOf(name, *value.Find(name)));
  return MapBytes(elements);
}

// Of the operand of a Put.
size_t PutBytes(absl::string_view text) { return StringValue::HeapBytes(text.size()); }
size_t PutBytes(const Texts& members) { return AfterAdd(Elements(), members); }
size_t PutBytes(const Fields& fields) { return AfterPut(nullptr, fields); }
template <class Number>
size_t PutBytes(Number) {
  return 0;
}

// Overloads by operation; what is not here leaves the size as it is.
template <class T, class Op>
size_t After(const T* value, const Op&) {
  return value ? HeapBytesOf(*value) : 0;
}
template <class T>
size_t After(const T*, const operation::Put& op) {
  return std::visit([](const auto& operand) { return PutBytes(operand); }, op.value);
}
size_t After(const StringValue* value, const operation::Append& op) {
  return StringValue::HeapBytes((value ? value->size() : 0) + op.text.size());
}
size_t After(const SetValue* value, const operation::AddMembers& op) { return AfterAdd(ElementsOf(value), op.members); }
size_t After(const SetValue* value, const operation::RemoveMembers& op) {
  return AfterRemove(ElementsOf(value), op.members);
}
size_t After(const MapValue* value, const operation::PutFields& op) { return AfterPut(value, op.fields); }
size_t After(const MapValue* value, const operation::RemoveFields& op) { return AfterRemove(*value, op.names); }

}  // namespace

template <class T>
size_t HeapBytesAfter(const T* value, const Operation& operation) {
  return std::visit([value](const auto& op) { return After(value, op); }, operation);
}

template size_t HeapBytesAfter(const int64_t*, const Operation&);
template size_t HeapBytesAfter(const uint64_t*, const Operation&);
template size_t HeapBytesAfter(const double*, const Operation&);
template size_t HeapBytesAfter(const StringValue*, const Operation&);
template size_t HeapBytesAfter(const SetValue*, const Operation&);
template size_t HeapBytesAfter(const MapValue*, const Operation&);

}  // namespace kvs::server
