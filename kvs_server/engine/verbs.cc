#include "kvs_server/engine/verbs.h"

#include <absl/strings/str_cat.h>

#include <cmath>
#include <utility>

#include "common/errors.h"
#include "common/limits.h"

namespace kvs::server::verbs {
namespace {

template <class T>
absl::Status Overflow(T current, absl::string_view sign, T delta) {
  return Error(errors::kOverflow, absl::StrCat("nothing was changed: ", current, " ", sign, " ", delta,
                                               " is out of the range of the type"));
}

absl::Status CollectionTooLarge(size_t bytes, size_t max_bytes) {
  return Error(errors::kCollectionTooLarge,
               absl::StrCat("nothing was changed: the collection would have ", bytes, " bytes, over the limit of ",
                            max_bytes, " (--max-collection-bytes)"),
               {{"limit", absl::StrCat(max_bytes)}});
}

}  // namespace

absl::StatusOr<Incremented<int64_t>> Increment(const int64_t* current, int64_t delta) {
  Incremented<int64_t> result;
  result.previous = current ? *current : 0;
  if (__builtin_add_overflow(result.previous, delta, &result.value)) return Overflow(result.previous, "+", delta);
  if (delta != 0) result.operation = operation::IntIncrement{delta, result.value};
  return result;
}

absl::StatusOr<Incremented<double>> Increment(const double* current, double delta) {
  Incremented<double> result;
  result.previous = current ? *current : 0;
  // Adding 0 to -0.0 would answer 0.0 though the value stays.
  result.value = delta == 0 ? result.previous : result.previous + delta;
  if (!std::isfinite(result.value)) return Overflow(result.previous, "+", delta);
  if (delta != 0) result.operation = operation::FloatIncrement{delta, result.value};
  return result;
}

absl::StatusOr<Incremented<uint64_t>> Increment(const uint64_t* current, uint64_t delta) {
  Incremented<uint64_t> result;
  result.previous = current ? *current : 0;
  if (__builtin_add_overflow(result.previous, delta, &result.value)) return Overflow(result.previous, "+", delta);
  if (delta != 0) result.operation = operation::UintIncrement{delta, false, result.value};
  return result;
}

absl::StatusOr<Incremented<uint64_t>> Decrement(const uint64_t* current, uint64_t delta) {
  Incremented<uint64_t> result;
  result.previous = current ? *current : 0;
  if (__builtin_sub_overflow(result.previous, delta, &result.value)) return Overflow(result.previous, "-", delta);
  if (delta != 0) result.operation = operation::UintIncrement{delta, true, result.value};
  return result;
}

absl::StatusOr<Appended> Append(const StringValue* current, absl::string_view text) {
  Appended result;
  result.size_bytes = (current ? current->size() : 0) + text.size();
  if (result.size_bytes > kMaxValueBytes) {
    return Error(errors::kResultTooLarge,
                 absl::StrCat("nothing was changed: the string would grow to ", result.size_bytes,
                              " bytes, over the limit of ", kMaxValueBytes),
                 {{"limit", absl::StrCat(kMaxValueBytes)}});
  }
  if (!text.empty()) result.operation = operation::Append{text};
  return result;
}

absl::Status CheckPut(const ValueView& value, size_t max_bytes) {
  size_t bytes = 0;
  if (const auto* members = std::get_if<Texts>(&value)) {
    for (const absl::string_view member : *members) bytes += member.size();
  } else if (const auto* fields = std::get_if<Fields>(&value)) {
    for (const auto& [name, text] : *fields) bytes += name.size() + text.size();
  }
  return bytes > max_bytes ? CollectionTooLarge(bytes, max_bytes) : absl::OkStatus();
}

absl::StatusOr<Resized> AddMembers(const SetValue* current, const Texts& members, size_t max_bytes) {
  operation::AddMembers added;
  size_t bytes = current ? current->bytes() : 0;
  for (const absl::string_view member : members) {
    if (current && current->Contains(member)) continue;
    added.members.push_back(member);
    bytes += member.size();
  }
  Resized result;
  result.changed = added.members.size();
  result.size = (current ? current->members().size() : 0) + result.changed;
  if (added.members.empty()) return result;
  if (bytes > max_bytes) return CollectionTooLarge(bytes, max_bytes);
  result.operation = std::move(added);
  return result;
}

Resized RemoveMembers(const SetValue* current, const Texts& members) {
  operation::RemoveMembers removed;
  for (const absl::string_view member : members) {
    if (current && current->Contains(member)) removed.members.push_back(member);
  }
  Resized result;
  result.changed = removed.members.size();
  result.size = (current ? current->members().size() : 0) - result.changed;
  if (!removed.members.empty()) result.operation = std::move(removed);
  return result;
}

absl::StatusOr<Resized> PutFields(const MapValue* current, Fields fields, size_t max_bytes) {
  Resized result;
  const size_t bytes_before = current ? current->bytes() : 0;
  size_t bytes = bytes_before;
  for (const auto& [name, value] : fields) {
    const std::string* old = current ? current->Find(name) : nullptr;
    bytes += value.size();
    if (old) {
      bytes -= old->size();
    } else {
      bytes += name.size();
      result.changed++;
    }
  }
  // One that is over a limit lowered since may shrink.
  if (bytes > max_bytes && bytes > bytes_before) return CollectionTooLarge(bytes, max_bytes);
  result.size = (current ? current->fields().size() : 0) + result.changed;
  result.operation = operation::PutFields{std::move(fields)};
  return result;
}

Resized RemoveFields(const MapValue* current, const Texts& names) {
  operation::RemoveFields removed;
  for (const absl::string_view name : names) {
    if (current && current->Find(name)) removed.names.push_back(name);
  }
  Resized result;
  result.changed = removed.names.size();
  result.size = (current ? current->fields().size() : 0) - result.changed;
  if (!removed.names.empty()) result.operation = std::move(removed);
  return result;
}

}  // namespace kvs::server::verbs
